# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The kernels that tests run: of the CPU as installed, of CUDA on the host, and either under the compiler's sanitizers."""

import functools
import os
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import compiled
import pytest
import torch

import fcis_ros

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SOURCES = ROOT / "csrc"
# Set in processes with AddressSanitizer: the number of pairs in a vector of the CPU kernels.
SANITIZE = os.environ.get("FCIS_SANITIZE_WIDTH")
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"] if SANITIZE else []


def operators(sources: Iterable[tuple[Path, list[str]]], digest: str, *flags: str) -> Path:
    """Compiles operators with their bindings to PyTorch, from sources with the flags that only they have."""
    from torch.utils.cpp_extension import include_paths, library_paths

    common = ["-std=c++17", "-O1", "-ffp-contract=off", "-fvisibility=hidden", "-fPIC", "-w", *SANITIZERS, *flags]
    common += [f"-D_GLIBCXX_USE_CXX11_ABI={int(torch._C._GLIBCXX_USE_CXX11_ABI)}", f'-DFCIS_SOURCES="{digest}"']
    common += [f"-isystem{path}" for path in include_paths()]
    libraries = [*(f"-L{path}" for path in library_paths()), "-lc10", "-ltorch_cpu"]
    return compiled.build([(path, [*special, *common]) for path, special in sources], ["-shared", *SANITIZERS[:1], *libraries])


if SANITIZE:  # the CPU operators with the sanitizers instead of the installed ones; nothing has imported fcis_ros.ops yet
    folder = compiled.FOLDER / f"sanitized_{SANITIZE}"
    folder.mkdir(parents=True, exist_ok=True)
    digest = runpy.run_path(str(ROOT / "fcis_ros" / "ops" / "library.py"))["digest"]("cpu")
    sources = [(path, []) for path in sorted(SOURCES.glob("*.cpp")) + sorted(SOURCES.glob("cpu/*.cpp"))]
    library = operators(sources, digest, "-g1", "-DFCIS_NO_CLONES", f"-DFCIS_WIDTH={SANITIZE}")
    (folder / "_C.so").unlink(missing_ok=True)
    (folder / "_C.so").symlink_to(library)
    fcis_ros.__path__.insert(0, str(folder))


@pytest.fixture(scope="session")
def emulate() -> Callable[..., Any]:
    """``emulate(path, ...)`` compiles CUDA sources for the host, against emulator/emulator.h."""
    from emulated_kernels import Library

    @functools.cache
    def build(*sources: Path) -> Any:
        flags = ["-std=c++17", "-g1", "-ffp-contract=off", "-U_FORTIFY_SOURCE", "-DFCIS_EMULATE", "-fPIC"]
        flags += [f"-I{HERE / 'emulator'}", f"-I{SOURCES / 'cuda'}"]
        # Under the sanitizers not optimised: compiling takes longer than running.
        flags += ["-O0", *SANITIZERS] if SANITIZERS else ["-O1"]
        return Library(compiled.build([(source, flags) for source in sources], ["-shared", *SANITIZERS[:1]]))

    return build


@pytest.fixture(scope="session")
def emulated(emulate: Callable[..., Any]) -> Any:
    """The CUDA kernels on the host, without their bindings."""
    from emulated_kernels import EmulatedKernels

    return EmulatedKernels(emulate(*sorted((SOURCES / "cuda").glob("*.cu"))))


@pytest.fixture(scope="session")
def emulated_operators() -> Any:
    """``torch.ops.fcis_emulated``: the operators through their CUDA bindings and kernels, on CPU tensors."""
    bindings = [SOURCES / "schemas.cpp", *sorted(SOURCES.glob("cuda/*bindings.cpp"))]
    sources = [(HERE / "emulator" / "operators.cpp", [f'-DFCIS_SOURCE="{path}"']) for path in bindings]
    sources += [(path, []) for path in sorted(SOURCES.glob("cuda/*.cu"))]
    flags = "-DFCIS_EMULATE", f"-I{HERE / 'emulator'}", f"-I{SOURCES / 'cuda'}"
    torch.ops.load_library(operators(sources, "emulated", *flags))
    return torch.ops.fcis_emulated


@pytest.fixture(scope="session", params=["cpu", pytest.param("emulated", marks=pytest.mark.compiler)])
def kernels(request: pytest.FixtureRequest) -> Any:
    """Operators by their names: those of the CPU, then the CUDA kernels on the host."""
    import fcis_ros.ops  # noqa: F401 (loads the operators)

    return torch.ops.fcis_ros if request.param == "cpu" else request.getfixturevalue("emulated")


@pytest.fixture(scope="session")
def sanitized() -> Callable[..., None]:
    """``sanitized("marks", "test_file.py", ...)`` runs tests with AddressSanitizer and fails if it finds anything."""

    def run(marks: str, *files: str, chosen: str = "", width: int = 2) -> None:
        # Before Python: the sanitizer, and the library whose exceptions it follows.
        preloaded = (compiled.run([compiled.CXX, f"-print-file-name={name}.so"]).strip() for name in ("libasan", "libstdc++"))
        options = "detect_leaks=0:detect_stack_use_after_return=0:abort_on_error=0:exitcode=99"
        environment = {"LD_PRELOAD": " ".join(preloaded), "ASAN_OPTIONS": options, "FCIS_SANITIZE_WIDTH": str(width)}
        command = [sys.executable, "-m", "pytest", "-qs", "-m", marks, "-k", chosen, *(HERE / file for file in files)]
        done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, cwd=ROOT)
        assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]

    return run
