# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""SQLite files: logs of killed recorders, odd paths, damage; the files beside a recording are never changed."""

import shutil
import sqlite3

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rosbags.rosbag2 import StoragePlugin

from fcis_ros.bags.reader import open_recording
from fcis_ros.bags.sqlite_reader import SqliteReader
from fcis_ros.errors import InputError
from fcis_ros.messages.typestore import IMAGE

COUNT = 6


@pytest.fixture
def database(bags):
    """A database of six frames of 200 KB."""
    pixels = np.zeros((250, 270, 3), np.uint8)
    entries = [("/cam", IMAGE, bags.image(pixels + i, bags.START + i), bags.START + i) for i in range(COUNT)]
    return bags.write(entries, plugin=StoragePlugin.SQLITE3) / "bag.db3"


def problems(reader, path):
    return [problem for _, problem in reader.check(path) if problem]


def killed(database, folder, journal, committed):
    """A copy of a database as a recorder leaves it that is killed after ``committed`` messages, beside its log."""
    folder.mkdir()
    working = folder / "working.db3"
    connection = sqlite3.connect(working, isolation_level=None)
    connection.execute(f"PRAGMA journal_mode = {journal}")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    with sqlite3.connect(database) as source:
        tables = source.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
        topics = source.execute("SELECT * FROM topics").fetchall()
        messages = source.execute("SELECT id, topic_id, timestamp, data FROM messages").fetchall()
    for (statement,) in tables:
        connection.execute(statement)
    for topic in topics:
        connection.execute(f"INSERT INTO topics VALUES ({', '.join('?' * len(topic))})", topic)
    connection.execute("PRAGMA cache_size = 4")  # pages; others are written before the commit
    for message in messages[:committed]:
        connection.execute("INSERT INTO messages VALUES (?, ?, ?, ?)", message)
    connection.execute("BEGIN")
    for message in messages[committed:]:
        connection.execute("INSERT INTO messages VALUES (?, ?, ?, ?)", message)
    connection.execute("UPDATE messages SET timestamp = 0")
    result = folder / "bag.db3"
    for file in sorted(folder.glob("working.db3*")):
        if not file.name.endswith("-shm"):
            shutil.copy(file, folder / file.name.replace("working", "bag"))
    connection.close()
    for file in folder.glob("working*"):
        file.unlink()
    return result


def beside(path):
    return {file.name: (file.stat().st_mtime_ns, file.read_bytes()) for file in path.parent.iterdir()}


@pytest.mark.parametrize("suffix", ["wal", "journal"])
@pytest.mark.parametrize("writable", [True, False])
@pytest.mark.parametrize("committed", [1, 4])
def test_messages_of_a_killed_recorder_are_read_with_its_log(database, tmp_path, suffix, writable, committed):
    path = killed(database, tmp_path / "killed", {"wal": "wal", "journal": "delete"}[suffix], committed)
    assert sorted(file.name for file in path.parent.iterdir()) == ["bag.db3", f"bag.db3-{suffix}"]
    path.parent.chmod(0o777 if writable else 0o555)
    link = tmp_path / "link.db3"
    link.symlink_to(path)
    before = beside(path)
    for opened in (path, path.parent, link):
        recording = open_recording(opened)
        assert recording.count == committed and [int(record.image()[0, 0, 0]) for record in recording.frames()] == [
            *range(committed)
        ]
        (finding,) = recording.findings
        assert f"read with its log bag.db3-{suffix} (" in finding.text and not finding.lost
    assert beside(path) == before
    path.parent.chmod(0o777)


def test_messages_without_their_log_are_not_there(database, tmp_path):
    """The database alone was never checkpointed."""
    path = killed(database, tmp_path / "killed", "wal", 4)
    path.with_name("bag.db3-wal").unlink()
    with pytest.raises(InputError, match="it has no table messages and topics"):
        open_recording(path)


def test_messages_empty_logs_are_no_finding(database):
    for suffix in ("-wal", "-journal"):
        database.with_name(database.name + suffix).touch()
    before = beside(database)
    recording = open_recording(database)
    assert len(list(recording.frames())) == COUNT and not recording.findings and beside(database) == before


@pytest.mark.parametrize("name", ["run#3", "a?b", "50%", "with blank", "%41", "\u202fé", "a&mode=rwc", "a;b'\""])
def test_messages_path_with_any_character_is_the_file_itself(database, tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    shutil.copy(database, folder / f"{name}_0.db3")
    for decoy in (name.partition("#")[0], name.partition("?")[0], f"{name}/{name}_0.db3".partition("#")[0]):
        if not (tmp_path / decoy).exists():
            (tmp_path / decoy).write_bytes(b"not a database")
    before = sorted(tmp_path.rglob("*"))
    assert len(list(open_recording(folder).frames())) == COUNT
    assert sorted(tmp_path.rglob("*")) == before


def test_messages_with_a_damaged_page_are_problems_and_all_others_are_read(database):
    data = bytearray(database.read_bytes())
    at = data.index(bytes([3]) * 4000) // 4096 * 4096 + 4096  # an overflow page of the fourth image
    data[at : at + 4] = (10**9).to_bytes(4, "big")  # the number of the next page
    database.write_bytes(data)
    recording = open_recording(database)
    assert recording.count == COUNT
    frames = list(recording.frames())
    assert [bool(frame.problem) for frame in frames] == [False, False, False, True, False, False]
    assert frames[3].problem == "bag.db3: damaged (database disk image is malformed)"
    assert [int(frame.image()[0, 0, 0]) for frame in (frames[2], frames[4])] == [2, 4]
    assert problems(SqliteReader(database), database)


def test_messages_behind_a_damaged_leaf_page_are_read(bags):
    path = bags.camera(400, plugin=StoragePlugin.SQLITE3) / "bag.db3"
    with sqlite3.connect(path) as connection:
        size, pages = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_size", "page_count"))
    data = bytearray(path.read_bytes())
    at = pages // 2 * size
    data[at : at + size] = bytes(size)
    path.write_bytes(data)
    recording = open_recording(path)
    (finding,) = recording.findings
    assert finding.lost and finding.text.startswith("damaged (database disk image is malformed)")
    assert f"; {recording.count} messages are known" in finding.text and 350 < recording.count < 400
    stamps = [record.stamp for record in recording.frames()]
    assert len(stamps) == recording.count and stamps == sorted(stamps) and stamps[-1] == bags.frames(400)[-1].stamp


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "it has no table messages and topics"),
        (b"nonsense" * 100, "file is not a database"),
        (bytes(8192), "not a database"),
    ],
)
def test_sqlite_reader_other_file_is_refused(tmp_path, content, says):
    (tmp_path / "a.db3").write_bytes(content)
    with pytest.raises(InputError, match=f"a.db3: not a readable file of a recording .*{says}"):
        open_recording(tmp_path / "a.db3")


def test_topics_old_databases_without_schema_are_read(tmp_path, database):
    """Eloquent's have four columns and no index."""
    path = tmp_path / "old.db3"
    with sqlite3.connect(database) as source, sqlite3.connect(path) as old:
        old.execute("CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT, type TEXT, serialization_format TEXT)")
        old.execute("CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER, timestamp INTEGER, data BLOB)")
        old.executemany("INSERT INTO topics VALUES (?, ?, ?, ?)", source.execute("SELECT id, name, type, 'cdr' FROM topics"))
        old.executemany(
            "INSERT INTO messages VALUES (?, ?, ?, ?)", source.execute("SELECT id, topic_id, timestamp, data FROM messages")
        )
    assert len(list(open_recording(path).frames())) == COUNT


def test_check_whole_database_has_none(database):
    assert problems(SqliteReader(database), database) == []


@pytest.mark.parametrize("suffix", ["wal", "journal"])
def test_messages_any_damage_to_a_log_gives_frames_or_one_line(database, tmp_path, suffix):
    path = killed(database, tmp_path / "killed", {"wal": "wal", "journal": "delete"}[suffix], 4)
    log = path.with_name(f"bag.db3-{suffix}")
    whole = log.read_bytes()

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.integers(0, len(whole) - 1), st.integers(0, 255), st.booleans())
    def check(at, value, cut):
        log.write_bytes(whole[:at] if cut else whole[:at] + bytes([value]) + whole[at + 1 :])
        before = beside(path)
        try:
            recording = open_recording(path)
            frames = list(recording.frames())
            assert len(frames) == recording.count <= COUNT
        except InputError as error:
            assert "\n" not in str(error)
        assert beside(path) == before

    check()
