# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Findings are a line each; a result folder is whole or absent, and other files are never deleted."""

import errno
from pathlib import Path

import pytest

from fcis_ros.cli.output import finished_folder, print_findings, printable
from fcis_ros.errors import InputError
from fcis_ros.findings import LISTED, Finding


def test_print_findings_last_line_explains_the_status(capfd):
    lost, remark = Finding("drive/a.mcap", "damaged\n\x1b[2J"), Finding("a.json", "12 objects of class dog", lost=False)
    assert (print_findings([]), print_findings([remark]), print_findings([lost, remark])) == (0, 0, 2)
    captured = capfd.readouterr()
    said = "fcis: remark: a.json: 12 objects of class dog"
    assert captured.err.splitlines() == [said, said, r"fcis: drive/a.mcap: damaged\n\x1b[2J"] and captured.out == ""


def test_print_findings_long_list_is_counted(capfd):
    findings = [Finding(f"{number}.png", "cut off", lost) for lost in (True, False) for number in range(LISTED + 3)]
    assert print_findings(findings) == 2
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 2 * LISTED + 2 and (lines[LISTED], lines[-1]) == ("fcis: remark: and 3 more", "fcis: and 3 more")


def write(path, text="new"):
    with finished_folder(path, proof="report.json") as folder:
        (folder / "report.json").write_text(text)
        assert not (path / "report.json").exists() or (path / "report.json").read_text() != text


def test_finished_folder_success_replaces_an_empty_folder_or_earlier_result(tmp_path):
    (tmp_path / "a/out").mkdir(parents=True)
    for text in ("first", "second"):
        write(tmp_path / "a/out", text)
    assert (tmp_path / "a" / "out" / "report.json").read_text() == "second"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["out"]


def test_finished_folder_error_keeps_the_earlier_result(tmp_path):
    write(tmp_path / "out", "first")
    with pytest.raises(KeyboardInterrupt), finished_folder(tmp_path / "out", proof="report.json") as folder:
        (folder / "report.json").write_text("half")
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out" / "report.json").read_text() == "first"


def test_finished_folder_other_content_is_refused(tmp_path):
    (tmp_path / "precious").write_text("mine")
    for name, says in (("", "not an earlier"), ("precious", "not an earlier result"), ("precious/out", "cannot be created")):
        with pytest.raises(InputError, match=says):
            write(tmp_path / name)
    assert (tmp_path / "precious").read_text() == "mine"


def test_finished_folder_failed_rename_restores_the_earlier_result(tmp_path, monkeypatch):
    """It is renamed, not deleted, until the new one has its name."""
    write(tmp_path / "out", "first")
    rename = Path.rename

    def failing(self, target):
        if self.name == "out.partial":
            raise OSError(errno.EIO, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(InputError, match="out: cannot be written"):
        write(tmp_path / "out", "second")
    assert (tmp_path / "out" / "report.json").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_finished_folder_killed_at_any_step_leaves_a_whole_result(tmp_path, monkeypatch):
    """Killed between the two renames: the next run restores the earlier one."""
    write(tmp_path / "out", "first")
    seen = []
    rename = Path.rename

    def watched(self, target):
        seen.append({path.name: (path / "report.json").read_text() for path in tmp_path.iterdir()})
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", watched)
    write(tmp_path / "out", "second")
    assert seen == [{"out": "first", "out.partial": "second"}, {"out.old": "first", "out.partial": "second"}]
    monkeypatch.undo()

    (tmp_path / "out").rename(tmp_path / "out.old")
    with pytest.raises(RuntimeError), finished_folder(tmp_path / "out", proof="report.json"):
        raise RuntimeError
    assert (tmp_path / "out" / "report.json").read_text() == "second" and len(list(tmp_path.iterdir())) == 1


def test_finished_folder_error_keeps_the_log(tmp_path):
    where = tmp_path / "out"
    with (
        pytest.raises(InputError, match=rf"no luck \(log: {where}.node.log\)"),
        finished_folder(where, "report.json", "node.log") as folder,
    ):
        (folder / "node.log").write_text("what happened")
        (folder / "report.json").write_text("half")
        raise InputError("no luck")
    assert [path.name for path in tmp_path.iterdir()] == ["out.node.log"]
    assert (tmp_path / "out.node.log").read_text() == "what happened"
    with finished_folder(where, "report.json", "node.log") as folder:
        (folder / "report.json").write_text("whole")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_finished_folder_full_disk_is_named(tmp_path):
    with pytest.raises(InputError, match=r"out: cannot be written \(No space left on device\)"):
        with finished_folder(tmp_path / "out", "report.json"):
            raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(PermissionError), finished_folder(tmp_path / "out", "report.json"):  # a mistake of ours stays one
        raise PermissionError(errno.EACCES, "Permission denied")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("写真\u30001.jpg", "写真\u30001.jpg"),
        ("a\u00a0b", "a\u00a0b"),
        ("a\nb\x1b[2J", "a\\nb\\x1b[2J"),
        ("\u202ea", "\\u202ea"),
    ],
)
def test_printable_keeps_blanks_and_escapes_what_moves_the_cursor(text, shown):
    assert printable(text) == shown
