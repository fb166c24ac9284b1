# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import mmap

import pytest
import shared_memory


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(shared_memory, "FOLDER", tmp_path)
    return tmp_path


def test_segments_other_names_are_ignored(folder):
    names = ("fastdds_ab12", "fastdds_ab12_el", "fastrtps_port7411", "sem.fastdds_port7411_mutex", "plasma_1", "my_fastdds_1")
    for name in names:
        (folder / name).write_bytes(b"")
    assert {path.name for path in shared_memory.segments()} == set(names[:4])


def test_segments_of_another_user_are_ignored(folder, monkeypatch):
    (folder / "fastdds_ab12").write_bytes(b"")
    monkeypatch.setattr(shared_memory.os, "getuid", lambda: (folder / "fastdds_ab12").stat().st_uid + 1)
    assert shared_memory.segments() == set() and shared_memory.remove_abandoned(set()) == []


def test_remove_abandoned_older_and_mapped_segments_are_kept():
    """In the real folder, because /proc names mapped files by their real path."""
    older, mapped, left = (shared_memory.FOLDER / f"fastdds_test_{name}" for name in ("older", "mapped", "left"))
    try:
        older.write_bytes(b"1")
        before = shared_memory.segments()
        mapped.write_bytes(b"1")
        left.write_bytes(b"1")
        with mapped.open("rb") as file, mmap.mmap(file.fileno(), 1, access=mmap.ACCESS_READ):
            file.close()
            assert left in (removed := shared_memory.remove_abandoned(before))
            assert mapped not in removed and mapped.exists() and older.exists() and not left.exists()
        assert shared_memory.remove_abandoned(before | {left}).count(mapped) == 1
    finally:
        for path in (older, mapped, left):
            path.unlink(missing_ok=True)
