# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Reads the messages of an SQLite file in order of their log times, as far as the database is undamaged.

The files beside a recording are never changed: a database without logs is opened as immutable. One whose recorder was killed
has a write-ahead log or a rollback journal, which SQLite applies while it opens the database; it does that to a temporary copy.
"""

import contextlib
import shutil
import sqlite3
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from fcis_ros.bags.packed_files import temporary_folder
from fcis_ros.bags.stored import StoredMessage, StoredTopic
from fcis_ros.errors import InputError

LOG_SUFFIXES = ("-wal", "-journal")
ROWS = 1 << 16
TOPICS = "SELECT id, name, type, serialization_format FROM topics ORDER BY id"
LISTING = "SELECT timestamp, rowid, topic_id FROM messages ORDER BY rowid"


class SqliteReader:
    """Structure of one SQLite file; has the interface of ``McapReader``.

    Attributes:
        storage: name of the format.
        compression: empty.
        damage: one line about messages that are lost without being known; None if the structure is undamaged.

    Args:
        path: path of the file.

    Raises:
        InputError: not a database of rosbag2.
    """

    def __init__(self, path: Path):
        self.storage, self.compression = "SQLite", ""
        self.damage: str | None = None
        with _connected(path) as connection:
            found = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if missing := {"topics", "messages"} - found:
                raise InputError(f"not a database of rosbag2, it has no table {' and '.join(sorted(missing))}")
            listed = connection.execute(TOPICS).fetchall()
            self._topics = {int(row[0]): StoredTopic(str(row[1]), str(row[2]), str(row[3]), 0) for row in listed}
            self._rows = self._list(connection)  # [messages, 3] int64: log time, row, topic

    def _list(self, connection: sqlite3.Connection) -> np.ndarray:
        """Returns log time, row and topic of all messages that can be listed, in order of the rows."""
        try:
            rows = np.concatenate([np.zeros((0, 3), np.int64), *_batches(connection, LISTING)])
        except (sqlite3.DatabaseError, TypeError, ValueError, OverflowError) as error:
            parts = [_until_damage(connection, LISTING), _until_damage(connection, f"{LISTING} DESC")]
            rows = np.unique(np.concatenate(parts), axis=0)  # what lies before and behind the damage
            rows = rows[np.argsort(rows[:, 1], kind="stable")]
            self.damage = f"damaged ({error})"
        known = np.isin(rows[:, 2], list(self._topics))
        if not known.all():
            self.damage = self.damage or f"damaged: {np.count_nonzero(~known)} messages of a topic that is not in the database"
        return rows[known]

    @property
    def topics(self) -> list[StoredTopic]:
        """What ``McapReader.topics`` has."""
        counts = dict(zip(*(each.tolist() for each in np.unique(self._rows[:, 2], return_counts=True)), strict=True))
        filled = sorted(self._topics, key=lambda number: number not in counts)
        return [replace(self._topics[number], count=counts.get(number, 0)) for number in filled]

    def times(self, topic: str, kinds: Collection[str]) -> np.ndarray:
        """Returns what ``McapReader.times`` returns."""
        return np.sort(self._wanted({topic: kinds})[:, 0])

    def _wanted(self, kinds: Mapping[str, Collection[str]]) -> np.ndarray:
        topics = self._topics.items()
        numbers = [number for number, topic in topics if topic.readable and topic.kind in kinds.get(topic.name, ())]
        return self._rows[np.isin(self._rows[:, 2], numbers)]

    def messages(self, path: Path, kinds: Mapping[str, Collection[str]], since: int = 0) -> Iterator[StoredMessage]:
        """Yields what ``McapReader.messages`` yields."""
        rows = self._wanted(kinds)
        rows = rows[rows[:, 0] >= since] if since else rows
        rows = rows[np.lexsort((rows[:, 1], rows[:, 0]))]
        if not len(rows):
            return
        with _connected(path) as connection:
            for time, row, number in rows.tolist():
                problem, data = None, b""
                try:
                    (content,) = connection.execute("SELECT data FROM messages WHERE rowid = ?", (row,)).fetchone() or (None,)
                    problem, data = (None, content) if isinstance(content, bytes) else ("damaged: a message without data", b"")
                except sqlite3.DatabaseError as error:
                    problem = f"damaged ({error})"
                yield StoredMessage(self._topics[number].name, self._topics[number].kind, time, data, problem)

    def check(self, path: Path) -> Iterator[tuple[int, str | None]]:
        """Yields what ``McapReader.check`` yields; databases have no checksums, but SQLite compares their structure."""
        with _connected(path) as connection:
            try:
                for (line,) in connection.execute("PRAGMA quick_check"):
                    if line != "ok":
                        yield 0, f"damaged: {' '.join(str(line).split())}"
            except sqlite3.DatabaseError as error:
                yield 0, f"damaged ({error})"


def log_files(path: Path) -> list[Path]:
    """Returns the logs that a killed recorder left beside a database, if they hold anything."""
    database = path.resolve()  # SQLite, too, follows links
    logs = [database.with_name(database.name + suffix) for suffix in LOG_SUFFIXES]
    return [log for log in logs if log.is_file() and log.stat().st_size]


@contextlib.contextmanager
def _connected(path: Path) -> Iterator[sqlite3.Connection]:
    """Opens a database, or a temporary copy if it has logs.

    Raises:
        InputError: it cannot be opened, or changes while it is copied.
    """
    with contextlib.ExitStack() as stack:
        if logs := log_files(path):
            folder = stack.enter_context(temporary_folder())
            database, copy = path.resolve(), folder / "copy.db3"
            files = [*logs, database]
            before = [file.stat().st_mtime_ns for file in files]
            for file in files:
                shutil.copyfile(file, copy.with_name(copy.name + file.name.removeprefix(database.name)))
            if [file.stat().st_mtime_ns for file in files] != before:
                raise InputError("is being recorded; wait for its end")
            uri = copy.as_uri()
        else:
            uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        try:
            connection = stack.enter_context(contextlib.closing(sqlite3.connect(uri, uri=True, check_same_thread=False)))
        except sqlite3.Error as error:
            raise InputError(f"cannot be opened ({error})") from None
        connection.text_factory = lambda text: text.decode(errors="replace")
        yield connection


def _batches(connection: sqlite3.Connection, query: str) -> Iterator[np.ndarray]:
    """Yields the rows of integers of a query: [rows, 3] int64 each; raises sqlite3.DatabaseError behind those before damage."""
    cursor = connection.execute(query)
    cursor.arraysize = ROWS
    while rows := cursor.fetchmany():
        yield np.array(rows, np.int64)


def _until_damage(connection: sqlite3.Connection, query: str) -> np.ndarray:
    rows: list[tuple[int, ...]] = []
    with contextlib.suppress(sqlite3.DatabaseError):
        for row in connection.execute(query):
            if all(isinstance(value, int) for value in row):
                rows.append(row)
    return np.array(rows, np.int64).reshape(-1, 3)
