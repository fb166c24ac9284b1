# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Recordings and annotations by URL: results equal those of the same files by path, and errors name the URL."""

import json
import sqlite3
import sys
import tempfile

import pytest
from bag_evaluations import contents
from rosbags.rosbag2 import CompressionMode, StoragePlugin

from fcis_ros.bags.reader import open_recording
from fcis_ros.cli.main import main
from fcis_ros.errors import InputError
from fcis_ros.evaluation.ground_truth import AnnotationFile

pytestmark = pytest.mark.fleet


@pytest.fixture
def memory():
    """Uploads a file or folder to ``memory://``, and returns its URL."""
    import fsspec

    system = fsspec.filesystem("memory")

    def upload(path):
        system.put(str(path), f"/bucket/{path.name}", recursive=True)
        return f"memory://bucket/{path.name}"

    yield upload
    system.rm("/", recursive=True)


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """The folder of downloads."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


KINDS = {
    "mcap": {},
    "db3": {"plugin": StoragePlugin.SQLITE3},
    "file.zstd": {"compression": CompressionMode.FILE},
    "db3.message": {"plugin": StoragePlugin.SQLITE3, "compression": CompressionMode.MESSAGE},
}


@pytest.mark.parametrize("kind", KINDS)
def test_open_recording_url_equals_path(bags, memory, temporary, kind):
    path = bags.camera(**KINDS[kind])
    by_path = open_recording(path)
    expected = [(record.name, record.stamp, bytes(record.raw)) for record in by_path.frames()]
    for url in (memory(path), f"{memory(path)}/", path.as_uri()):
        recording = open_recording(url)
        assert (str(recording.path), recording.topic, recording.count) == (url, by_path.topic, by_path.count)
        assert [(record.name, record.stamp, bytes(record.raw)) for record in recording.frames()] == expected
    (file,) = (file for file in path.iterdir() if file.name != "metadata.yaml")
    assert open_recording(memory(file)).count == by_path.count
    del recording
    assert [file for file in temporary.iterdir() if file.name.startswith("fcis_fetched")] == []


def test_evaluate_bag_url_writes_the_same_files_as_path(bag, annotations, tmp_path, memory, tiny_checkpoint, scenes):
    categories = [{"id": 5, "name": "car"}, {"id": 9, "name": "pedestrian"}]
    annotations.write_text(json.dumps({**scenes[1], "categories": categories}))
    options = ["--device", "cpu", "--threads", "1", "--checkpoint", str(tiny_checkpoint)]
    files = []
    for name, recording, truth in (("path", str(bag), str(annotations)), ("url", memory(bag), memory(annotations))):
        assert main(["evaluate-bag", recording, "--annotations", truth, "--out", str(tmp_path / name), *options]) == 0
        written = {path.name: data for path, data in contents(tmp_path / name).items()}
        assert all(recording.encode() in written[each] for each in ("run.json", "report.json"))
        files.append({each: data.replace(recording.encode(), b"given") for each, data in written.items()})
    assert files[0].keys() == files[1].keys()
    assert {each for each in files[0] if files[0][each] != files[1][each]} <= {"report.html", "timing.json"}


def test_open_recording_url_brings_the_log_of_a_killed_recorder(bags, memory, temporary):
    path = bags.camera(3, plugin=StoragePlugin.SQLITE3)
    database = path / "bag.db3"
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("PRAGMA journal_mode = wal")
    connection.execute("DELETE FROM messages WHERE id = 2")
    recordings = [open_recording(url) for url in (memory(path), f"{memory(path)}/bag.db3")]
    connection.close()
    for recording in recordings:
        assert recording.count == len(list(recording.frames())) == 2
        assert any("read with its log bag.db3-wal" in finding.text for finding in recording.findings)


def test_records_damaged_download_names_the_url(bags, memory, temporary):
    path = bags.camera(count=20)
    (file,) = path.glob("*.mcap")
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    url = memory(path)
    with pytest.raises(InputError) as caught:
        open_recording(url)
    said = f"{url}: no images can be read (bag/{file.name}: cut off at byte "
    assert str(caught.value).startswith(said) and str(temporary) not in str(caught.value)
    file.write_text("nothing")
    with pytest.raises(InputError, match=f"^{memory(file)}: "):
        open_recording(memory(file))


@pytest.mark.parametrize(
    "url, problem",
    [
        ("memory://bucket/nothing", "no such recording"),
        ("memory://bucket/nothing.mcap", "no such recording"),
        ("file:///nowhere/nothing.db3", "no such recording"),
        ("gopher://host/drive", r"cannot be fetched \(Protocol not known: gopher\)"),
        ("adl://host/drive", r"cannot be fetched \(.*[Ii]nstall adlfs.*\)"),
        ("http://127.0.0.1:9/drive.mcap", r"(cannot be fetched \(.*\)|no such recording)"),
    ],
)
def test_open_recording_unreachable_url_is_refused(url, problem):
    with pytest.raises(InputError, match=f"^{url}: {problem}$"):
        open_recording(url)


def test_annotations_unusable_url_is_named(tmp_path, memory):
    (tmp_path / "truth.json").write_text("[")
    for url, problem in (("memory://bucket/nothing.json", "no such file$"), (memory(tmp_path / "truth.json"), "")):
        with pytest.raises(InputError, match=f"^{url}: {problem}"):
            AnnotationFile(url, ("car",), named=False, count=1)


def test_open_recording_url_without_fsspec_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(InputError, match="^memory://bucket/drive: a URL needs fsspec"):
        open_recording("memory://bucket/drive")
