# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Compressed files are unpacked for a while, as far as they are whole."""

import errno
import tempfile
from pathlib import Path

import pytest

from fcis_ros.bags.packed_files import decompressed, unpacked, zstd
from fcis_ros.errors import InputError

NAMED = hasattr(zstd, "ZstdFile")  # zstandard, of old versions of rosbags, ends without a word where data are cut off
CONTENT = bytes(range(256)) * 20_000


@pytest.mark.parametrize("suffix", [".zstd", ".zst"])
def test_unpacked_whole_file_is_there_inside_of_the_block_only(tmp_path, monkeypatch, suffix):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    packed = tmp_path / f"a.mcap{suffix}"
    packed.write_bytes(zstd.compress(CONTENT))
    with pytest.raises(ZeroDivisionError), unpacked(packed) as (plain, problem):
        assert (plain.name, problem) == ("a.mcap", None) and plain.read_bytes() == CONTENT
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == [packed]


def test_unpacked_cut_file_gives_what_it_has(tmp_path):
    packed = tmp_path / "a.mcap.zstd"
    whole = zstd.compress(CONTENT)
    packed.write_bytes(whole[: len(whole) // 2])
    with unpacked(packed) as (plain, problem):
        assert CONTENT.startswith(plain.read_bytes())
        assert not NAMED or problem.startswith("damaged: its compressed data end after ")


def test_unpacked_without_room_names_the_temporary_folder(tmp_path, monkeypatch):
    """The recording is whole; the reason is another folder."""

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("fcis_ros.bags.packed_files._unpack", full)
    with pytest.raises(InputError, match=f"temporary folder {tmp_path}; TMPDIR"), unpacked(tmp_path / "a.mcap.zstd"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_unpacked_plain_file_is_the_file_itself():
    with unpacked(Path("a.mcap")) as opened:
        assert opened == (Path("a.mcap"), None)


def test_decompressed_message_is_the_content_or_refused():
    packed = zstd.compress(CONTENT)
    assert decompressed(packed) == CONTENT and decompressed(CONTENT) is CONTENT
    with pytest.raises(InputError, match="^damaged"):
        decompressed(packed[:9] + b"\xff" * 8 + packed[17:])
    if NAMED:
        with pytest.raises(InputError, match="^damaged"):
            decompressed(packed[:-3])
