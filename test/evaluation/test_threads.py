# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Reading ahead and writing behind keep the order, and errors keep their position."""

import threading

import pytest

from fcis_ros.evaluation import threads
from fcis_ros.evaluation.threads import read_ahead, write_behind


def failing_after(count):
    yield from range(count)
    raise OSError("source")


def test_write_behind_failed_write_writes_no_later_item():
    written = []

    def write(item):
        if item == 2:
            raise OSError("full")
        written.append(item)

    with pytest.raises(OSError, match="full"):
        list(write_behind(iter(range(20)), write))
    assert written == [0, 1]


def test_threads_error_of_the_source_comes_after_all_items():
    written, yielded = [], []
    with pytest.raises(OSError, match="source"):
        for item in write_behind(read_ahead(failing_after(9)), written.append):
            yielded.append(item)
    assert written == yielded == list(range(9))


def test_read_ahead_stalled_source_does_not_hold_the_end(monkeypatch):
    """As of a file on a network that does not answer."""
    monkeypatch.setattr(threads, "STALLED_SECONDS", 0.01)
    answers = threading.Event()

    def source():
        yield 1
        answers.wait()

    items = read_ahead(source())
    assert next(items) == 1
    items.close()
    assert not answers.is_set()
    answers.set()
