# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Compiles the operators where PyTorch is, by the recipe of setup.py, unless they are up to date: every colcon build runs this.

    build_operators.py AUTO|ON FOLDER

The library becomes FOLDER/fcis_ros/_C.so. It is compiled again when the sources, the compiler, PyTorch, nvcc or
TORCH_CUDA_ARCH_LIST have changed. Environments with the same of these need not compile it each: where FCIS_OPERATOR_CACHE names
a folder, it is taken from there, or left there, under a name with its SHA-256. Nothing in it depends on the version of Python.

Without PyTorch, ON is an error; AUTO says in one line that the operators are left out, so that a machine that wants only the
messages needs neither PyTorch nor setuptools: this file uses the standard library alone and imports neither.
"""

import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def find_torch() -> str | None:
    """Returns version, commit and CUDA of the PyTorch that this Python would import; None without one."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return None
    version = Path(spec.origin).with_name("version.py")
    return version.read_text() if version.is_file() else spec.origin


def find_compiler() -> str:
    """Returns the version of the C++ compiler; empty without one, which the build reports."""
    try:
        return subprocess.run([os.environ.get("CXX", "c++"), "--version"], capture_output=True, text=True).stdout
    except OSError:
        return ""


def find_nvcc() -> str:
    """Returns the path of the nvcc that PyTorch would find; a toolkit's folder has its version in its name."""
    home = os.environ.get("CUDA_HOME") or os.environ.get("CUDA_PATH")
    candidates = [home and f"{home}/bin/nvcc", shutil.which("nvcc"), "/usr/local/cuda/bin/nvcc"]
    return next((os.path.realpath(path) for path in candidates if path and os.path.exists(path)), "")


def key(torch: str) -> str:
    """Returns the digest of everything that the library depends on."""
    machine = [platform.machine(), find_compiler(), torch, find_nvcc(), os.environ.get("TORCH_CUDA_ARCH_LIST", "")]
    result = hashlib.sha256("\0".join(machine).encode())
    sources = sorted(path for path in (ROOT / "csrc").rglob("*") if path.suffix in (".h", ".cpp", ".cu"))
    for path in [*sources, ROOT / "setup.py", ROOT / "fcis_ros" / "ops" / "library.py"]:
        result.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return result.hexdigest()


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def take(cache: Path, wanted_key: str, library: Path) -> bool:
    """Copies the library of that key out of the cache; returns False if it is missing or damaged."""
    for kept in cache.glob(f"{wanted_key}-*.so"):
        if kept.name == f"{wanted_key}-{sha256(kept)}.so":
            library.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(kept, library)
            return True
        print(f"fcis_ros: {kept}: damaged, compiling anew", file=sys.stderr)
    return False


def leave(cache: Path, wanted_key: str, library: Path) -> None:
    """Copies the library into the cache; a cache that cannot be written is only reported."""
    partial = cache / f"{wanted_key}.{os.getpid()}"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, partial)
        os.replace(partial, cache / f"{wanted_key}-{sha256(library)}.so")
    except OSError as error:
        print(f"fcis_ros: the operators are not kept for other environments: {error}", file=sys.stderr)


def main(wanted: str, folder: Path) -> int:
    torch = find_torch()
    if torch is None:
        shutil.rmtree(folder, ignore_errors=True)
        if wanted == "ON":
            print(f"fcis_ros: FCIS_BUILD_OPS=ON, but there is no PyTorch for {sys.executable}", file=sys.stderr)
            return 1
        print(
            f"fcis_ros: no PyTorch for {sys.executable}, so the operators are left out: messages, decoders and launch files "
            "only. For the node, install PyTorch for this Python, or name another (README), and build again.",
            file=sys.stderr,
        )
        return 0
    built, wanted_key = folder / "built", key(torch)
    if built.is_file() and built.read_text() == wanted_key:
        return 0
    shutil.rmtree(folder, ignore_errors=True)
    folder = folder.resolve()
    library, cache = folder / "fcis_ros" / "_C.so", os.environ.get("FCIS_OPERATOR_CACHE")
    if cache and take(Path(cache), wanted_key, library):
        built.write_text(wanted_key)
        return 0
    command = [sys.executable, "setup.py", "--quiet", "build_ext", f"--build-lib={folder}", f"--build-temp={folder}/temp"]
    status = subprocess.run(command, cwd=ROOT, env={**os.environ, "FCIS_BUILD_OPS": "ON"}).returncode
    if status == 0:
        built.write_text(wanted_key)
        if cache:
            leave(Path(cache), wanted_key, library)
    return status


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("AUTO", "ON"):
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
