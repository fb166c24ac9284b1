# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Reading ahead and writing behind in threads, so that the network waits for neither. Order is kept."""

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")
LIMIT = 4  # items read ahead, and items not yet written
STALLED_SECONDS = 2.0  # for which the end waits for a read; one that stalls, on a network for instance, ends with the process


@dataclass(frozen=True)
class _End(Generic[Item]):
    """End of the items; ``error`` ended them early."""

    error: BaseException | None


def read_ahead(items: Iterable[Item]) -> Iterator[Item]:
    """Yields items that a thread takes from ``items``, up to ``LIMIT`` of them ahead; errors are raised at their position."""
    waiting: queue.Queue[Item | _End[Item]] = queue.Queue(LIMIT)
    stopped = threading.Event()

    def put(item: Item | _End[Item]) -> None:
        while not stopped.is_set():
            try:
                return waiting.put(item, timeout=0.1)
            except queue.Full:
                continue

    def read() -> None:
        try:
            for item in items:
                put(item)
                if stopped.is_set():
                    return
            put(_End(None))
        except BaseException as error:  # noqa: BLE001 (raised in the thread that reads the queue)
            put(_End(error))

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        while not isinstance(item := waiting.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stopped.set()
        thread.join(STALLED_SECONDS)


def write_behind(items: Iterator[Item], write: Callable[[Item], None]) -> Generator[Item, None, None]:
    """Writes items in a thread, and yields each once it is written.

    Items before an error of ``items`` are written and yielded before that is raised. Behind an item that could not be written
    none is written.

    Args:
        items: items to write.
        write: function that writes one.
    """
    failed = threading.Event()

    def write_item(item: Item) -> Item:
        if not failed.is_set():
            try:
                write(item)
            except BaseException:
                failed.set()
                raise
        return item

    pending: deque[Future[Item]] = deque()
    error: BaseException | None = None
    with ThreadPoolExecutor(1) as thread:
        while error is None:
            try:
                item = next(items)
            except BaseException as raised:  # noqa: BLE001 (raised again below)
                error = raised
            else:
                pending.append(thread.submit(write_item, item))
            while pending and (error is not None or len(pending) > LIMIT):
                yield pending.popleft().result()
    if not isinstance(error, StopIteration):
        raise error
