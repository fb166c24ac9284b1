# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""What the readers of storage formats return."""

from dataclasses import dataclass
from typing import NamedTuple

CDR = "cdr"  # encoding of messages of ROS 2


@dataclass(frozen=True)
class StoredTopic:
    """A topic of a file; one with several writers is listed several times.

    Attributes:
        name: name of the topic.
        kind: message type.
        encoding: encoding of its messages, ``CDR`` for those of ROS 2; empty if the file does not say.
        count: number of messages.
    """

    name: str
    kind: str
    encoding: str
    count: int

    @property
    def readable(self) -> bool:
        """Whether its messages are encoded as those of ROS 2."""
        return self.encoding in (CDR, "")


class StoredMessage(NamedTuple):
    """A message of a recording.

    Attributes:
        topic: name of its topic.
        kind: message type.
        time: time of recording (log time), nanoseconds since the epoch.
        raw: serialized message; empty if it cannot be read.
        problem: reason why it cannot be read, with the name of the file; None if it was read.
    """

    topic: str
    kind: str
    time: int
    raw: bytes | memoryview
    problem: str | None = None
