"""A result folder is whole or absent, and nobody's files are deleted."""

import pytest

from fcis_ros.cli.output import finished_folder
from fcis_ros.errors import InputError


def write(path, text="new"):
    with finished_folder(path, proof="report.json") as folder:
        (folder / "report.json").write_text(text)
        assert not (path / "report.json").exists() or (path / "report.json").read_text() != text


def test_appears_and_is_replaced(tmp_path):
    write(tmp_path / "a" / "out", "first")
    write(tmp_path / "a" / "out", "second")
    assert (tmp_path / "a" / "out" / "report.json").read_text() == "second"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["out"]


def test_error_leaves_the_earlier_result(tmp_path):
    write(tmp_path / "out", "first")
    with pytest.raises(KeyboardInterrupt), finished_folder(tmp_path / "out", proof="report.json") as folder:
        (folder / "report.json").write_text("half")
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out" / "report.json").read_text() == "first"


def test_foreign_folder_is_refused(tmp_path):
    (tmp_path / "precious").write_text("mine")
    with pytest.raises(InputError, match="not an earlier result"):
        write(tmp_path)
    with pytest.raises(InputError, match="not an earlier result"):
        write(tmp_path / "precious")
    assert (tmp_path / "precious").read_text() == "mine"


def test_empty_folder_is_taken(tmp_path):
    (tmp_path / "out").mkdir()
    write(tmp_path / "out")


def test_unwritable_place(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be created"):
        write(tmp_path / "file" / "out")
