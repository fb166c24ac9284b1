"""A one-slot mailbox: the newest frame waits, the one it replaces is counted."""

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Mailbox(Generic[T]):
    """Hands the newest item from one thread to another.

    Queues turn overload into latency; a single slot turns it into dropped frames, which can be counted.

    Attributes:
        received: items put so far.
        overwritten: items replaced before anybody took them.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._item: T | None = None
        self._closed = False
        self.received = 0
        self.overwritten = 0

    def put(self, item: T) -> None:
        """Leaves an item, replacing one that was not taken; never blocks."""
        with self._changed:
            self.received += 1
            self.overwritten += self._item is not None
            self._item = item
            self._changed.notify()

    def take(self) -> T | None:
        """Waits for an item; None once the mailbox is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._item is not None)
            if self._closed:
                return None
            item, self._item = self._item, None
            return item

    def close(self) -> None:
        """Ends all waiting; an item that was not taken is counted as overwritten."""
        with self._changed:
            self._closed = True
            self.overwritten += self._item is not None
            self._item = None
            self._changed.notify_all()
