# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""What an executable prints for ``--help``."""

import textwrap
from collections.abc import Sequence

from fcis_ros.ros.params import Parameter, text_of

WIDTH = 110
ARGUMENTS = "[--ros-args [-p PARAMETER:=VALUE] [--params-file FILE] [-r TOPIC:=TOPIC] ...]"


def asked(arguments: Sequence[str]) -> bool:
    """Whether ``-h`` or ``--help`` is among the arguments of a process that are not ROS's."""
    ros = False
    for word in arguments[1:]:
        if word in ("--ros-args", "--"):
            ros = word == "--ros-args"
        elif not ros and word in ("-h", "--help"):
            return True
    return False


def usage(name: str, description: str, topics: str, rows: Sequence[Parameter]) -> str:
    """Returns the text.

    Args:
        name: the name of the executable.
        description: one sentence.
        topics: lines about topics and services.
        rows: the parameters.
    """
    lines = [f"usage: ros2 run fcis_ros {name} {ARGUMENTS}", "", description, "", "topics and services, before remapping:"]
    lines += [f"  {line}" for line in topics.strip().splitlines()]
    lines += ["", "parameters:"]
    for row in rows:
        values = f"; {row.constraint}" if row.constraint else ""
        lines.append(f"  {row.name} (default {text_of(row.default) or 'empty'}{values})")
        lines += textwrap.wrap(row.description, WIDTH, initial_indent="      ", subsequent_indent="      ")
    return "\n".join(lines)
