# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Standard output whose reader has ended, as in ``fcis info | head -1``, or that cannot be written."""

import os
import select
import sys
from collections.abc import Callable

from fcis_ros.files import UNWRITABLE

READER_GONE = 141  # status that a shell reports for a program that SIGPIPE has ended


def flushed(command: Callable[[], int]) -> int:
    """Runs a command and writes all its output, rather than at the end of the interpreter, which would print a traceback.

    Args:
        command: function that returns an exit status, or raises SystemExit.

    Returns:
        The status; ``READER_GONE`` if the output was a pipe that its reader has closed, 2 if it cannot be written.
    """
    try:
        try:
            return command()
        finally:
            print(end="", flush=True)
    except BrokenPipeError:
        closed = [number for number in (1, 2) if _reader_gone(number)]
        if not closed:  # another pipe or a connection
            raise
        _discard(closed)
        return READER_GONE
    except OSError as error:
        if error.errno not in UNWRITABLE or error.filename is not None:
            raise
        _discard([1])
        print(f"fcis: standard output: cannot be written ({error.strerror})", file=sys.stderr)
        return 2


def _reader_gone(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def _discard(descriptors: list[int]) -> None:
    """Lets what is still buffered, and what follows, vanish."""
    null = os.open(os.devnull, os.O_WRONLY)
    for descriptor in descriptors:
        os.dup2(null, descriptor)
    os.close(null)
