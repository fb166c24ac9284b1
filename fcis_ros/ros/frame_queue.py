# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The queue between the executor's thread and the worker: bounded, fair between sources, with every frame counted."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

OUTCOMES = ("processed", "overwritten", "rejected", "stale", "failed")


class StaleFrameError(Exception):
    """A frame is older than ``max_age_ms``."""


class NodeEndedError(Exception):
    """The node ended while a frame was in work."""


@dataclass(frozen=True, eq=False)
class QueuedFrame:
    """A received message.

    Attributes:
        source: the name of the camera or service.
        message: the message as received.
        arrived: the time of arrival, seconds of ``time.monotonic``.
    """

    source: str
    message: Any
    arrived: float


@dataclass(frozen=True)
class FrameCounts:
    """The outcomes of the frames of one source: ``received`` is always the sum of the others.

    Attributes:
        received: the number of all frames.
        processed: frames whose masks were published.
        overwritten: frames dropped in favour of a newer one, or at shutdown.
        rejected: frames that cannot be used (encoding, sizes, damaged data).
        stale: frames older than ``max_age_ms`` when their turn came.
        failed: frames for which the network or publishing failed.
        waiting: frames that wait or are in work.
    """

    received: int = 0
    processed: int = 0
    overwritten: int = 0
    rejected: int = 0
    stale: int = 0
    failed: int = 0
    waiting: int = 0

    def __str__(self) -> str:
        parts = ", ".join(f"{getattr(self, name)} {name}" for name in (*OUTCOMES, "waiting"))
        return f"{self.received} frames received: {parts}"


class _SourceQueue:
    def __init__(self):
        self.depth = 0  # closed
        self.frames: deque[QueuedFrame] = deque()
        self.in_work = 0
        self.received = 0
        self.outcomes = dict.fromkeys(OUTCOMES, 0)


class FrameQueue:
    """Hands the frames of several sources from any thread to one worker.

    Every source has a separate queue. When it is full, the oldest waiting frame is dropped and counted: a depth of one keeps
    the newest frame only, and turns overload into counted drops instead of latency.
    """

    def __init__(self, sources: Iterable[str], clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._changed = threading.Condition()
        self._queues = {source: _SourceQueue() for source in sources}
        self._turns = deque(self._queues)  # the source that has waited longest comes first
        self._running = False

    def start(self) -> None:
        """Lets ``take`` wait for frames; sources are opened separately."""
        with self._changed:
            self._running = True

    def open(self, source: str, depth: int) -> None:
        """Accepts frames of a source, at most ``depth`` waiting ones."""
        with self._changed:
            self._queues[source].depth = depth

    def put(self, source: str, message: Any) -> bool:
        """Adds a message; never blocks.

        Returns:
            Whether the source is open; a message of a closed source is neither received nor counted.
        """
        with self._changed:
            queue = self._queues[source]
            if not queue.depth:
                return False
            queue.received += 1
            if len(queue.frames) == queue.depth:
                queue.frames.popleft()
                queue.outcomes["overwritten"] += 1
            queue.frames.append(QueuedFrame(source, message, self._clock()))
            self._changed.notify_all()
            return True

    def take(self, limit: int) -> list[QueuedFrame] | None:
        """Waits for work.

        Returns:
            The oldest frames of up to ``limit`` sources, one of each, in the order of their turns; each has to be settled.
            None after ``stop``.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._running or any(queue.frames for queue in self._queues.values()))
            if not self._running:
                return None
            served = [source for source in self._turns if self._queues[source].frames][:limit]
            for source in served:
                self._turns.remove(source)
                self._turns.append(source)
                self._queues[source].in_work += 1
            return [self._queues[source].frames.popleft() for source in served]

    def settle(self, frame: QueuedFrame, outcome: str) -> None:
        """Counts the outcome of a taken frame."""
        with self._changed:
            queue = self._queues[frame.source]
            queue.in_work -= 1
            queue.outcomes[outcome] += 1
            self._changed.notify_all()

    def close(self, sources: Iterable[str], timeout: float) -> bool:
        """Closes sources: waiting frames are counted as overwritten, those in work are awaited.

        Returns:
            Whether no frame is in work any more.
        """
        with self._changed:
            queues = [self._queues[source] for source in sources]
            for queue in queues:
                queue.depth = 0
                queue.outcomes["overwritten"] += len(queue.frames)
                queue.frames.clear()
            return self._changed.wait_for(lambda: not any(queue.in_work for queue in queues), timeout)

    def stop(self) -> None:
        """Ends the waiting in ``take``."""
        with self._changed:
            self._running = False
            self._changed.notify_all()

    def counts(self, source: str) -> FrameCounts:
        """Returns the counts of a source at this moment."""
        with self._changed:
            queue = self._queues[source]
            return FrameCounts(queue.received, waiting=len(queue.frames) + queue.in_work, **queue.outcomes)
