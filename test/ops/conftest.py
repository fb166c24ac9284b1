# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""CUDA sources run on the host: compiled against emulator/emulator.h, called with CPU tensors instead of a device's."""

import ctypes
import functools
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import compiled
import pytest
import torch

HERE = Path(__file__).resolve().parent
SOURCES = HERE.parents[1] / "csrc" / "cuda"
# Set by tests that run others in a process with AddressSanitizer, which has to be loaded before Python.
SANITIZE = "FCIS_EMULATE_SANITIZE"


ELEMENTS = {torch.float32: 0, torch.float16: 1, torch.bfloat16: 2}


class Maps(ctypes.Structure):
    """``struct Maps`` of csrc/maps.h."""

    _fields_ = [
        ("data", ctypes.c_void_p), ("images", ctypes.c_int64), ("channels", ctypes.c_int64), ("height", ctypes.c_int64),
        ("width", ctypes.c_int64), ("element", ctypes.c_int32), ("channels_last", ctypes.c_bool),
    ]  # fmt: skip


class Rois(ctypes.Structure):
    """``struct Rois`` of csrc/maps.h."""

    _fields_ = [
        ("data", ctypes.c_void_p), ("count", ctypes.c_int64), ("bins", ctypes.c_int32), ("size", ctypes.c_int32),
        ("stride", ctypes.c_int32),
    ]  # fmt: skip


class Emulated:
    """The functions of a compiled library by their C++ names; a launch function that fails raises RuntimeError."""

    def __init__(self, path: Path):
        self._library = ctypes.CDLL(str(path))
        self._library.emulator_message.restype = ctypes.c_char_p
        table = [
            subprocess.run(
                ["nm", "-D", "--defined-only", *how, path], check=True, capture_output=True, text=True
            ).stdout.splitlines()
            for how in ([], ["-C"])
        ]
        self._symbols = {
            plain.split(maxsplit=2)[2].split("(")[0]: mangled.split(maxsplit=2)[2]
            for mangled, plain in zip(*table, strict=True)
        }

    def __call__(self, name: str, *arguments: Any) -> int:
        """Tensors become pointers, ``int`` int64_t, ``float`` float, None a null pointer (and the stream)."""
        function = self._library[self._symbols[name]]
        function.restype = ctypes.c_size_t if name.endswith("_workspace") else ctypes.c_int
        result = function(*map(_convert, arguments))
        if result and not name.endswith("_workspace"):
            raise RuntimeError(f"{name}: error {result}, {self._library.emulator_message().decode()}")
        return result

    def workspace(self, name: str, *arguments: Any) -> torch.Tensor:
        """What a function wants as its workspace: exactly that large, and full of garbage."""
        return torch.full((self(f"fcis::cuda::{name}_workspace", *arguments),), 0x5A, dtype=torch.uint8)

    @staticmethod
    def describe(maps: torch.Tensor, rois: torch.Tensor, bins: int, size: int, stride: int = 16) -> tuple[Maps, Rois]:
        """``Maps`` and ``Rois`` of csrc/maps.h; both tensors have to stay."""
        last = maps.is_contiguous(memory_format=torch.channels_last)
        described = Maps(maps.data_ptr(), *maps.shape, ELEMENTS[maps.dtype], last)
        return described, Rois(rois.data_ptr(), len(rois), bins, size, stride)

    def order(self, seed: int) -> None:
        """Of threads, warps and blocks from now on: 0 ascending, 1 descending, otherwise shuffled."""
        self._library.emulator_order(ctypes.c_uint(seed))


def _convert(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        assert value.is_contiguous() or value.is_contiguous(memory_format=torch.channels_last)
        return ctypes.c_void_p(value.data_ptr())
    if isinstance(value, ctypes.Structure):
        return ctypes.byref(value)
    kinds = {bool: ctypes.c_bool, int: ctypes.c_int64, float: ctypes.c_float, type(None): ctypes.c_void_p}
    return kinds[type(value)](value)


@pytest.fixture(scope="session")
def emulate() -> Callable[..., Emulated]:
    """``emulate("nms.cu", ...)`` compiles sources of csrc/cuda, or any given by their whole path."""

    @functools.cache
    def build(*sources: str | Path) -> Emulated:
        flags = ["-std=c++17", "-g1", "-ffp-contract=off", "-U_FORTIFY_SOURCE", "-DFCIS_EMULATE", "-fPIC"]
        flags += [f"-I{HERE / 'emulator'}", f"-I{SOURCES}"]
        sanitizers = ["-fsanitize=address,undefined"] if os.environ.get(SANITIZE) else []
        # Under the sanitizers not optimised: compiling takes longer than running.
        flags += ["-O0", *sanitizers, "-fno-sanitize-recover=undefined"] if sanitizers else ["-O1"]
        return Emulated(compiled.build([(SOURCES / source, flags) for source in sources], ["-shared", *sanitizers]))

    return build


@pytest.fixture(scope="session")
def emulated_operators() -> Any:
    """``torch.ops.fcis_emulated``: the operators through their CUDA bindings and kernels, on CPU tensors."""
    from torch.utils.cpp_extension import include_paths, library_paths

    flags = ["-std=c++17", "-O1", "-ffp-contract=off", "-fvisibility=hidden", "-fPIC", "-w", "-DFCIS_EMULATE"]
    flags += [f"-D_GLIBCXX_USE_CXX11_ABI={int(torch._C._GLIBCXX_USE_CXX11_ABI)}", '-DFCIS_SOURCES="emulated"']
    flags += [f"-I{HERE / 'emulator'}", f"-I{SOURCES}", *(f"-isystem{path}" for path in include_paths())]
    bindings = [SOURCES.parent / "schemas.cpp", *sorted(SOURCES.glob("*bindings.cpp"))]
    sources = [(HERE / "emulator" / "operators.cpp", [f'-DFCIS_SOURCE="{path}"', *flags]) for path in bindings]
    sources += [(path, flags) for path in sorted(SOURCES.glob("*.cu"))]
    libraries = [*(f"-L{path}" for path in library_paths()), "-lc10", "-ltorch_cpu"]
    torch.ops.load_library(compiled.build(sources, ["-shared", *libraries]))
    return torch.ops.fcis_emulated


@pytest.fixture(scope="session")
def sanitized() -> Callable[[Path, str], None]:
    """``sanitized(__file__, "part of test names")`` runs those tests with AddressSanitizer and fails if it finds anything."""

    def run(file: str, chosen: str) -> None:
        library = compiled.run([compiled.CXX, "-print-file-name=libasan.so"]).strip()
        options = "detect_leaks=0:detect_stack_use_after_return=0:abort_on_error=0:exitcode=99"
        environment = os.environ | {"LD_PRELOAD": library, "ASAN_OPTIONS": options, SANITIZE: "1"}
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", file, "-k", chosen]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=HERE.parents[1])
        assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]

    return run
