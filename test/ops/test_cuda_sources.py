# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The CUDA sources compile for every target, without warnings or spilled registers; that needs nvcc, but no device."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "csrc" / "cuda"
SOURCES = sorted(FOLDER.glob("*.cu"))
TARGETS = ("75", "80", "86", "87", "89", "90", "100", "120")
NVCC = shutil.which("nvcc")


@pytest.fixture(scope="module")
def known() -> list[str]:
    """The targets that this nvcc knows."""
    listed = subprocess.run([NVCC, "--list-gpu-arch"], check=True, capture_output=True, text=True).stdout
    return re.findall(r"compute_(\d+)\b", listed)


def run(command: list) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    output = done.stdout + done.stderr
    assert done.returncode == 0, output[-6000:]
    return output


def spills(report: str) -> list[str]:
    """Kernels in the output of ptxas -v that keep registers in memory."""
    spilled, kernel, target = [], "?", "?"
    for line in report.splitlines():
        if compiling := re.search(r"Compiling entry function '\S+' for '(\w+)'", line):
            target = compiling[1]
        elif named := re.search(r"Function properties for (\S+)", line):
            kernel = named[1]
        elif re.search(r"(?<!\d)[1-9]\d* bytes spill", line):
            spilled.append(f"{kernel} on {target}: {line.strip()}")
    return spilled


def test_spills_are_found():
    line = "    {} bytes stack frame, {} bytes spill stores, 0 bytes spill loads"
    lines = ["Function properties for a", line.format(8, 0), "Compiling entry function 'b' for 'sm_90'"]
    report = "\n".join([*lines, "Function properties for b", line.format(0, 20)])
    assert [text.split(":")[0] for text in spills(report)] == ["b on sm_90"]


@pytest.mark.nvcc
def test_only_newer_targets_than_nvcc_are_left_out(known):
    """An old nvcc cannot compile for the newest GPUs; one that has dropped a target asks for another list."""
    unknown = [int(target) for target in TARGETS if target not in known]
    assert "90" in known and all(target > max(map(int, known)) for target in unknown), f"{unknown}, known are {known}"


@pytest.mark.slow
@pytest.mark.nvcc
@pytest.mark.timeout(900)
@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_compiles_for_every_target(source, known, tmp_path, record_property):
    targets = [target for target in TARGETS if target in known]
    record_property("unknown to this nvcc", [target for target in TARGETS if target not in targets])
    codes = [f"-gencode=arch=compute_{target},code=sm_{target}" for target in targets]
    warnings = ["-Werror=all-warnings", "-Xcompiler=-Wall,-Wextra", "-Xptxas=-v"]
    command = [NVCC, "-std=c++17", "-O3", "--threads=2", *warnings, *codes]
    report = run([*command, "-c", source, "-o", tmp_path / "out.o"])
    assert "warning" not in report, report
    assert report.count("bytes spill stores") >= len(targets), report  # ptxas did report
    assert not spills(report), "\n".join(spills(report))


@pytest.mark.parametrize("path", [p for p in sorted(FOLDER.glob("*")) if "binding" not in p.name], ids=lambda path: path.name)
def test_kernel_sources_include_no_pytorch(path):
    assert not re.findall(r"#\s*include\s*[<\"](?:torch|ATen|c10)/", path.read_text())


@pytest.mark.slow
@pytest.mark.nvcc
@pytest.mark.timeout(600)
@pytest.mark.parametrize("source", sorted(FOLDER.glob("*bindings.cpp")), ids=lambda path: path.name)
def test_bindings_compile_against_pytorch_headers(source):
    """Syntax and types only: a PyTorch without CUDA brings the headers, but nothing to link with."""
    from torch.utils.cpp_extension import include_paths

    # isystem: warnings are wanted for csrc/ only. The macro stands for a header that only a build of PyTorch with CUDA has.
    include = [f"-isystem={path}" for path in include_paths()]
    command = [NVCC, "-x=c++", "-std=c++17", "-DC10_USING_CUSTOM_GENERATED_MACROS", *include]
    command += ["-Xcompiler=-fsyntax-only,-Wall,-Wno-unused-parameter,-Werror"]
    report = run([*command, "-c", source, "-o", os.devnull])
    assert "warning" not in report, report
