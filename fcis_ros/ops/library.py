# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Loads the compiled operators. Missing or stale ones are an error that names the command: there is no silent slow path."""

import hashlib
from pathlib import Path

SOURCES = Path(__file__).resolve().parents[2] / "csrc"
BUILD = "`make setup` or `colcon build` in the source tree, or `pip install --no-build-isolation .`"


def digest(kind: str) -> str | None:
    """Of the sources that a ``cpu`` or ``cuda`` build is made from; None where there are none (an installed package)."""
    parts = ("*", "cpu/*", "cuda/*") if kind == "cuda" else ("*", "cpu/*")
    files = sorted(path for part in parts for path in SOURCES.glob(part) if path.suffix in (".h", ".cpp", ".cu"))
    if not files:
        return None
    found = hashlib.sha256(kind.encode())
    for path in files:
        found.update(path.relative_to(SOURCES).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return f"{kind}-{found.hexdigest()[:16]}"


def has_cuda() -> bool:
    """Whether the operators that are loaded have CUDA kernels."""
    import torch

    return torch.ops.fcis_ros.sources().startswith("cuda-")


def load() -> None:
    """Registers ``torch.ops.fcis_ros`` from the library ``_C.so`` of this package, wherever its parts lie.

    Raises:
        ImportError: the library is missing, made for another PyTorch, or older than its sources; says how to build it.
    """
    import torch

    import fcis_ros

    places = [Path(folder) / "_C.so" for folder in fcis_ros.__path__]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise ImportError(f"the compiled operators are missing ({', '.join(map(str, places))}); build them: {BUILD}")
    try:
        torch.ops.load_library(path)
    except OSError as error:
        raise ImportError(f"{path} does not fit PyTorch {torch.__version__} ({error}); build it again: {BUILD}") from None
    built = torch.ops.fcis_ros.sources()
    if digest(built.split("-")[0]) not in (None, built):
        raise ImportError(f"{path} was built from other sources than {SOURCES} has now; build it again: {BUILD}")
