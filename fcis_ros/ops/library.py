# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Loads the compiled operators. A missing or stale library is an error that names the build command."""

import hashlib
from pathlib import Path

SOURCES = Path(__file__).resolve().parents[2] / "csrc"
BUILD = "`make setup` or `colcon build` in the source tree, or `pip install --no-build-isolation .`"


def digest(kind: str) -> str | None:
    """Returns the digest of the sources of a ``cpu`` or ``cuda`` build; None in an installed package, which has no sources."""
    parts = ("*", "cpu/*", "cuda/*") if kind == "cuda" else ("*", "cpu/*")
    files = sorted(path for part in parts for path in SOURCES.glob(part) if path.suffix in (".h", ".cpp", ".cu"))
    if not files:
        return None
    result = hashlib.sha256(kind.encode())
    for path in files:
        result.update(path.relative_to(SOURCES).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return f"{kind}-{result.hexdigest()[:16]}"


def has_cuda() -> bool:
    """Returns whether the loaded operators have CUDA kernels."""
    import torch

    return torch.ops.fcis_ros.sources().startswith("cuda-")


def load() -> None:
    """Registers ``torch.ops.fcis_ros`` from the library ``_C.so`` in one of this package's folders.

    Raises:
        OperatorsError: the library is missing, built for another PyTorch, or older than its sources; the message has the
            build command.
    """
    import torch

    import fcis_ros
    from fcis_ros.errors import OperatorsError

    candidates = [Path(folder) / "_C.so" for folder in fcis_ros.__path__]
    path = next((candidate for candidate in candidates if candidate.is_file()), None)
    if path is None:
        raise OperatorsError(f"the compiled operators are missing ({', '.join(map(str, candidates))}); build them: {BUILD}")
    try:
        torch.ops.load_library(path)
    except OSError as error:
        raise OperatorsError(f"{path} does not fit PyTorch {torch.__version__} ({error}); build it again: {BUILD}") from None
    built = torch.ops.fcis_ros.sources()
    if digest(built.split("-")[0]) not in (None, built):
        raise OperatorsError(f"{path} was built from other sources than {SOURCES} holds now; build it again: {BUILD}")
