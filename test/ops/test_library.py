# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""A library of operators that is missing or does not fit."""

import pytest

import fcis_ros
from fcis_ros.ops import library


def test_load_missing_library_names_build_command(tmp_path, monkeypatch):
    monkeypatch.setattr(fcis_ros, "__path__", [str(tmp_path)])
    with pytest.raises(ImportError, match="missing.*build them: `make setup`"):
        library.load()


def test_load_stale_library_names_build_command(monkeypatch):
    monkeypatch.setattr(library, "digest", lambda kind: f"{kind}-of-today")
    with pytest.raises(ImportError, match="built from other sources.*build it again: `make setup`"):
        library.load()


def test_load_library_of_other_pytorch_names_build_command(tmp_path, monkeypatch):
    (tmp_path / "_C.so").write_bytes(b"no library")
    monkeypatch.setattr(fcis_ros, "__path__", [str(tmp_path)])
    with pytest.raises(ImportError, match="does not fit PyTorch.*build it again: `make setup`"):
        library.load()
