# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""When a build compiles the operators and for which GPUs: with a PyTorch that appears and changes, in a temporary tree."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Stands for setup.py: counts its calls.
RECIPE = """
import os, pathlib, sys
folder = pathlib.Path(next(word for word in sys.argv if word.startswith("--build-lib=")).split("=")[1])
calls = pathlib.Path("calls")
calls.write_text(calls.read_text() + "x" if calls.exists() else "x")
if "broken" in os.environ: sys.exit("it does not compile")
(folder / "fcis_ros").mkdir(parents=True)
(folder / "fcis_ros" / "_C.so").write_text(os.environ["FCIS_BUILD_OPS"])
"""


class Tree:
    def __init__(self, root: Path):
        self.root, self.site, self.out = root, root / "site", root / "build" / "operators"
        for folder in ("tools", "csrc/cpu", "fcis_ros/ops", "site"):
            (root / folder).mkdir(parents=True)
        shutil.copy(ROOT / "tools" / "build_operators.py", root / "tools")
        (root / "setup.py").write_text(RECIPE)
        (root / "fcis_ros" / "ops" / "library.py").write_text("")
        (root / "csrc" / "cpu" / "nms.cpp").write_text("// first")

    def install_torch(self, version: str) -> None:
        folder = self.site / "torch"
        folder.mkdir(exist_ok=True)
        (folder / "__init__.py").write_text("raise SystemExit('looking for PyTorch must not import it')")
        (folder / "version.py").write_text(f"__version__ = {version!r}")

    def build(self, wanted: str = "AUTO", **environment: str) -> subprocess.CompletedProcess:
        script = self.root / "tools" / "build_operators.py"
        command = [sys.executable, "-S", str(script), wanted, str(self.out)]  # -S: without the packages that are installed
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(self.site), **environment}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)

    @property
    def calls(self) -> int:
        path = self.root / "calls"
        return len(path.read_text()) if path.exists() else 0

    @property
    def library(self) -> Path:
        return self.out / "fcis_ros" / "_C.so"


@pytest.fixture
def tree(tmp_path) -> Tree:
    tree = Tree(tmp_path)
    tree.install_torch("2.4.0")
    return tree


@pytest.fixture
def cache(tree) -> dict[str, str]:
    return {"FCIS_OPERATOR_CACHE": str(tree.root / "cache")}


def test_build_without_pytorch_is_one_line_and_removes_library(tree):
    """AUTO leaves the operators out, ON fails; PyTorch that comes back is compiled for again."""
    tree.build()
    shutil.rmtree(tree.site / "torch")
    done = tree.build()
    assert done.returncode == 0 and tree.calls == 1 and not tree.out.exists()
    (line,) = done.stderr.splitlines()
    assert sys.executable in line and "operators are left out" in line and "install PyTorch" in line
    done = tree.build("ON")
    assert done.returncode == 1 and tree.calls == 1
    assert done.stderr == f"fcis_ros: FCIS_BUILD_OPS=ON, but there is no PyTorch for {sys.executable}\n"
    tree.install_torch("2.4.0")
    tree.build()
    assert tree.calls == 2


def test_build_changed_inputs_compile_again_once(tree):
    first = tree.build()
    assert (first.returncode, first.stderr) == (0, "")
    assert tree.library.read_text() == "ON"  # from here on a failure to import it is an error, not an omission
    environment = {"TORCH_CUDA_ARCH_LIST": "8.7", "CUDA_HOME": str(tree.root / "cuda"), "CXX": str(tree.root / "compiler")}
    compiler, nvcc = tree.root / "compiler", tree.root / "cuda" / "bin" / "nvcc"
    changes = [
        lambda: None,
        lambda: tree.install_torch("2.13.0+cpu"),
        lambda: (tree.root / "csrc" / "cpu" / "nms.cpp").write_text("// second"),
        lambda: environment.update(TORCH_CUDA_ARCH_LIST="9.0"),
        lambda: (nvcc.parent.mkdir(parents=True), nvcc.write_text("")),
        lambda: (compiler.write_text("#!/bin/sh\necho 99.1\n"), compiler.chmod(0o755)),
    ]
    for calls, change in enumerate(changes, 2):  # the first is that of the environment
        change()
        for _ in range(2):
            assert tree.build(**environment).returncode == 0 and tree.calls == calls


def test_build_cache_serves_all_environments(tree, cache):
    """Another folder stands for another environment with the same PyTorch; another PyTorch is compiled for."""
    tree.build(**cache)
    first, tree.out = tree.library.read_bytes(), tree.root / "other_build"
    for _ in range(2):
        assert tree.build(**cache).returncode == 0 and tree.calls == 1 and tree.library.read_bytes() == first
    tree.install_torch("2.13.0")
    assert tree.build(**cache).returncode == 0 and tree.calls == 2
    assert len(list((tree.root / "cache").iterdir())) == 2


def test_build_damaged_cache_compiles_anew(tree, cache):
    tree.build(**cache)
    (kept,) = (tree.root / "cache").iterdir()
    kept.write_text("half of")
    tree.out = tree.root / "other_build"
    done = tree.build(**cache)
    assert (done.returncode, tree.calls, tree.library.read_text()) == (0, 2, "ON")
    assert done.stderr == f"fcis_ros: {kept}: damaged, compiling anew\n" and kept.read_text() == "ON"


def test_build_unwritable_cache_is_reported_and_succeeds(tree, cache):
    (tree.root / "cache").write_text("")
    done = tree.build(**cache)
    assert done.returncode == 0 and tree.library.is_file() and done.stderr.count("\n") == 1
    assert done.stderr.startswith("fcis_ros: the operators are not kept for other environments: ")


def test_build_failure_leaves_nothing_in_cache_and_is_tried_again(tree, cache):
    assert tree.build(broken="1", **cache).returncode == 1
    assert not (tree.root / "cache").exists()
    assert tree.build(**cache).returncode == 0 and tree.library.exists()


@pytest.fixture(scope="module")
def recipe():
    spec = importlib.util.spec_from_file_location("recipe", ROOT / "setup.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_recipe_names_no_cxx_standard():
    assert "-std=" not in (ROOT / "setup.py").read_text()  # 2.4 compiles its headers as C++17, 2.14 as C++20


NVCC_13 = "\n".join(f"compute_{number}" for number in (75, 80, 86, 87, 88, 89, 90, 100, 110, 103, 120, 121))


@pytest.mark.parametrize(
    "compiled, known, expected",
    [
        ("sm_75 sm_80 sm_86 sm_90 sm_100 sm_120 compute_120", NVCC_13, "7.5;8.0;8.6;9.0;10.0;12.0+PTX"),
        ("sm_50 sm_60 sm_70 sm_75 sm_80 sm_86 sm_90", NVCC_13, "7.5;8.0;8.6;9.0+PTX"),  # this nvcc has dropped the oldest
        ("sm_80 sm_90a sm_100 sm_120", "compute_80\ncompute_90\n", "8.0;9.0+PTX"),  # this one is older than PyTorch's
        ("sm_87", NVCC_13, "8.7+PTX"),
    ],
)
def test_architectures_no_visible_gpu_are_common_ones(recipe, compiled, known, expected):
    assert recipe.architectures(compiled, known) == expected


def test_architectures_none_in_common_is_an_error(recipe):
    with pytest.raises(SystemExit, match="set TORCH_CUDA_ARCH_LIST"):
        recipe.architectures("sm_50", NVCC_13)
