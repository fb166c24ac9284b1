# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The Fast DDS of another ROS distribution, for tests of what depends on its version."""

import os
from pathlib import Path

import pytest

# {library as the distribution's middleware names it: the variable that this version reads}
VARIABLES = {
    "libfastrtps.so.2.6": "FASTRTPS_DEFAULT_PROFILES_FILE",  # Humble
    "libfastrtps.so.2.14": "FASTRTPS_DEFAULT_PROFILES_FILE",  # Jazzy
    "libfastdds.so.3.2": "FASTDDS_DEFAULT_PROFILES_FILE",  # Kilted
}


def install(monkeypatch: pytest.MonkeyPatch, prefix: Path, library: str) -> None:
    """Puts a middleware that is linked with ``library`` first in the ROS environment, where no profile is set."""
    for name in VARIABLES.values():
        monkeypatch.delenv(name, raising=False)
    (prefix / "lib").mkdir(parents=True)
    shared = b"\x7fELF\0librmw_fastrtps_shared_cpp.so\0" + library.encode() + b"\0libfastcdr.so.2\0"
    (prefix / "lib" / "librmw_fastrtps_shared_cpp.so").write_bytes(shared)
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"{prefix}{os.pathsep}{os.environ.get('AMENT_PREFIX_PATH', '')}")
