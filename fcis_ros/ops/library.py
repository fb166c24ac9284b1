"""Loads the compiled operators. Missing or stale ones are an error that names the command: there is no silent slow path."""

import hashlib
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
BUILD = "FCIS_BUILD_OPS=ON python setup.py build_ext --inplace"


def digest(kind: str) -> str | None:
    """Of the sources that a ``cpu`` or ``cuda`` build is made from; None where there are none (an installed package)."""
    folder = PACKAGE.parent / "csrc"
    parts = ("*", "cpu/*", "cuda/*") if kind == "cuda" else ("*", "cpu/*")
    files = sorted(path for part in parts for path in folder.glob(part) if path.suffix in (".h", ".cpp", ".cu"))
    if not files:
        return None
    found = hashlib.sha256(kind.encode())
    for path in files:
        found.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return f"{kind}-{found.hexdigest()[:16]}"


def load() -> None:
    """Registers ``torch.ops.fcis_ros``.

    Raises:
        ImportError: the library is missing, made for another PyTorch, or older than its sources; says how to build it.
    """
    import torch

    where = f"in {PACKAGE.parent}: {BUILD} (or `make setup`)" if (PACKAGE.parent / "csrc").is_dir() else f"from the sources: {BUILD}"
    path = PACKAGE / "_C.so"
    if not path.is_file():
        raise ImportError(f"the compiled operators are missing ({path}); build them {where}")
    try:
        torch.ops.load_library(path)
    except OSError as error:
        raise ImportError(f"{path} does not fit PyTorch {torch.__version__} ({error}); build it again {where}") from None
    built = torch.ops.fcis_ros.sources()
    if digest(built.split("-")[0]) not in (None, built):
        raise ImportError(f"{path} was built from other sources than csrc/ has now; build it again {where}")
