# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Folders of interrupted, damaged, locked and other evaluations."""

import errno
import fcntl
import os

import pytest
from bag_evaluations import Network, contents, run

from fcis_ros.errors import InputError
from fcis_ros.results.run_reader import RunReader
from fcis_ros.results.run_writer import Busy, RunWriter


@pytest.mark.parametrize("name", ["run.json", "frames.jsonl", "detections.json", "annotations.json"])
@pytest.mark.parametrize(
    ("content", "missing"), [(b"", True), (None, True), (bytes(range(256)) * 9, False), (b'{"a": 1}\n', False)]
)
def test_run_writer_damaged_folder_is_refused_or_completed(bag, annotations, tmp_path, name, content, missing):
    """Frames that are missing, in an empty or truncated frames.jsonl, are evaluated again."""
    run(bag, annotations, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(bag, annotations, tmp_path / "parts", Network(fails_at=7))
    file = tmp_path / "parts" / name
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2] if content is None else content)
    if name == "frames.jsonl" and missing:
        run(bag, annotations, tmp_path / "parts")
        assert file.read_bytes() == (tmp_path / "whole" / name).read_bytes()
    else:
        with pytest.raises(InputError, match=name):
            run(bag, annotations, tmp_path / "parts")


@pytest.mark.parametrize("name", ["frames.jsonl", "detections.json", "annotations.json"])
def test_run_writer_incomplete_last_line_is_removed(bag, annotations, tmp_path, name):
    run(bag, annotations, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(bag, annotations, tmp_path / "parts", Network(fails_at=6))
    with (tmp_path / "parts" / name).open("ab") as file:
        file.write(b'{"bag": 0, "ind')
    run(bag, annotations, tmp_path / "parts")
    assert contents(tmp_path / "whole") == contents(tmp_path / "parts")


def test_run_writer_full_disk_keeps_whole_frames(bag, annotations, tmp_path, monkeypatch):
    run(bag, annotations, tmp_path / "whole")
    add = RunWriter.add

    def full(self, frame, entries):
        if self.count == 5:
            raise OSError(28, "No space left on device")
        add(self, frame, entries)

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr(RunWriter, "add", full)
        run(bag, annotations, tmp_path / "parts")
    assert len(list(RunReader(tmp_path / "parts").frames())) == 5
    run(bag, annotations, tmp_path / "parts")
    assert contents(tmp_path / "whole") == contents(tmp_path / "parts")


def test_run_writer_folder_of_another_run_is_refused(bag, annotations, tmp_path, bags, scenes):
    run(bag, annotations, tmp_path / "out")
    before = contents(tmp_path / "out")
    with pytest.raises(InputError, match="out: holds this evaluation already, complete"):
        run(bag, annotations, tmp_path / "out")
    with pytest.raises(InputError, match=r"out: holds another evaluation \(score: 0.5 in the folder, 0.3 now\)"):
        run(bag, annotations, tmp_path / "out", score=0.3)
    assert contents(tmp_path / "out") == before
    (tmp_path / "other").mkdir()
    (tmp_path / "other/holiday.txt").write_text("keep me")
    with pytest.raises(InputError, match="other: exists and is no evaluation"):
        run(bag, annotations, tmp_path / "other")
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["holiday.txt"]


def test_run_writer_folder_in_use_is_refused(bag, annotations, tmp_path):
    spec = {"score": 1, "category_ids": [], "class_names": []}
    first = RunWriter(tmp_path / "out", spec)
    with pytest.raises(Busy, match="another evaluation is writing to this folder"):
        RunWriter(tmp_path / "out", spec)
    with first:
        pass


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_run_writer_without_locks_warns(bag, annotations, tmp_path, monkeypatch, capfd, number):
    def no_locks(file, operation):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    assert run(bag, annotations, tmp_path / "out")["complete"]
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"fcis: {tmp_path / 'out'}: its file system has no locks ({os.strerror(number)}); let no other")


def test_run_writer_failing_lock_reports_the_reason(bag, annotations, tmp_path, monkeypatch):
    def fails(file, operation):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, "flock", fails)
    with pytest.raises(InputError, match=r"out/frames.jsonl: cannot be locked \(Input/output error\)") as error:
        run(bag, annotations, tmp_path / "out")
    assert not isinstance(error.value, Busy)
