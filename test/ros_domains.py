# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""ROS domains for tests: each is held by one test at a time among all test runs on this machine."""

import contextlib
import itertools
import random
import socket
from collections.abc import Iterator

COUNT = 101  # 1 to 101; Linux may use the ports of higher domains
LOCK = "\0fcis_ros_test_domain_{}"  # an abstract socket: like a domain's ports it belongs to the network namespace
_turns = itertools.count(random.SystemRandom().randrange(COUNT))


@contextlib.contextmanager
def held_domain() -> Iterator[int]:
    """Yields the number of a domain that no other test holds.

    Domains are used in turn: a killed node stays in its domain's graph for 20 s, and an ended one can stay for good, since its
    last message about its entities may arrive after the end of its participant.
    """
    for turn in itertools.islice(_turns, COUNT):
        number = 1 + turn % COUNT
        with socket.socket(socket.AF_UNIX) as lock:  # ends with the process
            try:
                lock.bind(LOCK.format(number))
            except OSError:
                continue
            yield number
            return
    raise RuntimeError(f"other tests hold all {COUNT} ROS domains")
