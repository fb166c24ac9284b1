# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""ROS domains for tests: each is held by one test at a time, of all the test runs on this machine."""

import contextlib
import itertools
import random
import socket
from collections.abc import Iterator

COUNT = 101  # from 1 on; the ports of higher ones may belong to others on Linux
LOCK = "\0fcis_ros_test_domain_{}"  # an abstract socket: it exists in the network namespace, as a domain's ports do
_turns = itertools.count(random.SystemRandom().randrange(COUNT))


@contextlib.contextmanager
def held_domain() -> Iterator[int]:
    """Yields the number of a domain that no other test holds.

    It is the one that this process has not had for longest: a killed node stays in its domain's graph for 20 s, and one that
    ends can stay for good, since its last message about its entities may arrive after its participant's end.
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
