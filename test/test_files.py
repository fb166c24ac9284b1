# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import hashlib
import os
import tracemalloc

import pytest

from fcis_ros.errors import InputError
from fcis_ros.files import CHUNK, atomic_path, sha256


def test_atomic_path_success_replaces_the_file_at_the_end(tmp_path, monkeypatch):
    path, synchronised = tmp_path / "report.json", []
    path.write_text("old")
    monkeypatch.setattr(os, "fsync", lambda descriptor: synchronised.append(os.fstat(descriptor).st_size))
    with atomic_path(path) as partial:
        partial.write_text("newer")
        assert path.read_text() == "old" and partial.parent == tmp_path and partial.suffix == ".json"
    assert [file.name for file in tmp_path.iterdir()] == ["report.json"]
    assert path.read_text() == "newer" and synchronised == [5]


@pytest.mark.parametrize("before", [None, "old"])
def test_atomic_path_error_keeps_the_earlier_file(tmp_path, before):
    if before:
        (tmp_path / "file").write_text(before)
    with pytest.raises(KeyboardInterrupt), atomic_path(tmp_path / "file") as partial:
        partial.write_text("new")
        raise KeyboardInterrupt
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == ({"file": before} if before else {})


@pytest.mark.parametrize("size", [0, 5, CHUNK, 2 * CHUNK + 3])
def test_sha256_any_size_equals_hashlib(tmp_path, size):
    content = bytes(range(256)) * (size // 256 + 1)
    (tmp_path / "file").write_bytes(content[:size])
    assert sha256(tmp_path / "file") == hashlib.sha256(content[:size]).hexdigest()


def test_sha256_large_file_is_not_held_in_memory(tmp_path):
    with open(tmp_path / "large.pt2", "wb") as file:
        file.truncate(50 * CHUNK)
    tracemalloc.start()
    try:
        sha256(tmp_path / "large.pt2")
        assert tracemalloc.get_traced_memory()[1] < 4 * CHUNK
    finally:
        tracemalloc.stop()


def test_sha256_unreadable_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="missing: cannot be read"):
        sha256(tmp_path / "missing")
    with pytest.raises(InputError, match="cannot be read"):
        sha256(str(tmp_path))


def test_atomic_path_file_named_partial_is_kept(tmp_path):
    (tmp_path / "report.partial.json").write_text("a file of the user")
    with atomic_path(tmp_path / "report.json") as partial:
        partial.write_text("new")
    assert (tmp_path / "report.partial.json").read_text() == "a file of the user"
