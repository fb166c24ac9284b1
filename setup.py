# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The build beyond pyproject.toml: weights, configurations and message definitions as package data; the operators, _C.

The one recipe for the operators: CMake and pip both run its build_ext. It needs the very PyTorch that will load them: pip
finds the installed one with ``--no-build-isolation``. FCIS_BUILD_OPS is AUTO (wherever torch can be imported), ON or OFF;
CUDA kernels are built where a CUDA torch and an nvcc for it are: for the GPUs that are visible, for TORCH_CUDA_ARCH_LIST where
that is set, or, on a machine without a GPU, for every architecture that PyTorch itself was built for.
"""

import importlib.util
import os
import re
import subprocess
import sys
from glob import glob

import setuptools


def digest(kind: str) -> str:
    """Returns the digest of the operators' sources by fcis_ros/ops/library.py, which compares it when it loads them."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fcis_ros", "ops", "library.py")
    spec = importlib.util.spec_from_file_location("library", path)
    library = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(library)
    return library.digest(kind)


def find_cuda(version: str) -> str | None:
    """Returns the folder of the CUDA toolkit whose nvcc has the major version that PyTorch was built with; None without one."""
    from torch.utils import cpp_extension

    home = cpp_extension.CUDA_HOME
    if home is None:
        return None
    nvcc = os.path.join(home, "bin", "nvcc")
    try:
        if not os.path.exists(os.path.join(home, "include", "cuda_runtime_api.h")):  # nvcc is a script that knows the folder
            command = [nvcc, "--dryrun", "-x", "cu", "-c", os.devnull, "-o", os.devnull]
            match = re.search(r"_HERE_=(.+)", subprocess.run(command, capture_output=True, text=True).stderr)
            home = os.path.dirname(match[1].strip()) if match else home
        about = subprocess.run([nvcc, "--version"], capture_output=True, text=True).stdout
    except OSError:
        return None
    release = re.search(r"release (\d+)", about)
    if release is None or release[1] != version.split(".")[0]:
        print(f"operators: without CUDA, because PyTorch has {version} and nvcc in {home} is {release and release[0]}")
        return None
    return home


def architectures(compiled: str, known: str) -> str:
    """Returns TORCH_CUDA_ARCH_LIST for a machine without a visible GPU, for which PyTorch has no default.

    Args:
        compiled: architectures of PyTorch's kernels, ``"sm_75 sm_90a compute_90"``; it runs on no others.
        known: output of ``nvcc --list-gpu-arch``, ``compute_75`` and so on, one a line.

    Returns:
        The architectures in both, and PTX of the newest, which later GPUs translate: ``"7.5;9.0+PTX"``.
    """
    numbers = sorted({int(number) for number in re.findall(r"sm_(\d+)", compiled) if f"compute_{number}" in known.split()})
    if not numbers:
        raise SystemExit(f"operators: nvcc knows none of PyTorch's architectures ({compiled}); set TORCH_CUDA_ARCH_LIST")
    return ";".join(f"{number // 10}.{number % 10}" for number in numbers) + "+PTX"


def operators() -> dict:
    wanted = os.environ.get("FCIS_BUILD_OPS", "AUTO").upper()
    if wanted not in ("AUTO", "ON", "OFF"):
        raise SystemExit(f"FCIS_BUILD_OPS: expected AUTO, ON or OFF, got {wanted}")
    if wanted == "OFF":
        return {}
    try:
        from torch.utils import cpp_extension
    except ImportError:
        if wanted == "ON":
            raise SystemExit("FCIS_BUILD_OPS=ON needs torch where this builds (pip: --no-build-isolation)") from None
        return {}
    import torch

    cuda = find_cuda(torch.version.cuda) if torch.version.cuda else None
    if cuda:
        cpp_extension.CUDA_HOME = cuda
        if not torch.cuda.device_count() and not os.environ.get("TORCH_CUDA_ARCH_LIST"):
            nvcc = os.path.join(cuda, "bin", "nvcc")
            known = subprocess.run([nvcc, "--list-gpu-arch"], capture_output=True, text=True).stdout
            # The list behind torch.cuda.get_arch_list(), which is empty without a GPU.
            os.environ["TORCH_CUDA_ARCH_LIST"] = architectures(torch._C._cuda_getArchFlags(), known)
    # Contraction would round a*b+c once where the definition rounds twice: bin edges are compared bit by bit. OpenMP is not
    # linked: its symbols are found in the one that PyTorch brings, a second one would start more threads. PyTorch
    # adds the C++ standard that its headers need: 17 before 2.14, 20 since.
    flags = ["-O3", "-g0", "-ffp-contract=off", "-fopenmp", "-Wno-psabi", "-fvisibility=hidden"]
    flags.append("-Wno-c++20-extensions")  # in the headers of PyTorch
    flags.append(f'-DFCIS_SOURCES="{digest("cuda" if cuda else "cpu")}"')
    extension = (cpp_extension.CUDAExtension if cuda else cpp_extension.CppExtension)(
        "fcis_ros._C",
        sorted(path for folder in ("csrc", "csrc/cpu", *["csrc/cuda"] * bool(cuda)) for path in glob(f"{folder}/*.c[pu]*")),
        depends=glob("csrc/**/*.h", recursive=True),
        extra_compile_args={"cxx": flags, "nvcc": ["-O3"]} if cuda else flags,
    )
    build = cpp_extension.BuildExtension.with_options(no_python_abi_suffix=True)
    return {"ext_modules": [extension], "cmdclass": {"build_ext": build}}


# The definitions of the messages are for recordings, which are read and written without ROS, too.
PACKAGED = {"fcis_ros.weights": "weights", "fcis_ros.models": "config/models", "fcis_ros.msg": "msg"}

if __name__ == "__main__":
    if int(setuptools.__version__.split(".")[0]) < 62 and "build_ext" not in sys.argv:
        raise SystemExit(f"setuptools {setuptools.__version__} does not read pyproject.toml; pip install 'setuptools>=62.6'")
    setuptools.setup(
        license="Apache-2.0",
        packages=[*setuptools.find_packages(include=["fcis_ros", "fcis_ros.*"]), *PACKAGED],
        package_dir=PACKAGED,
        package_data={
            "": ["*.j2", "py.typed"],
            "fcis_ros.weights": ["*"],
            "fcis_ros.models": ["*.json"],
            "fcis_ros.msg": ["*.msg"],
        },
        **operators(),
    )
