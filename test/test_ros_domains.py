# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import ros_domains
from ros_domains import COUNT, held_domain

HOLD_ONE = """
import sys
import ros_domains
ros_domains.LOCK = "\\0" + sys.argv[1]
with ros_domains.held_domain() as number:
    print(number, flush=True)
    input()
"""


@pytest.fixture(autouse=True)
def name(monkeypatch) -> str:
    """Lock names that no other test uses, because these tests hold every domain."""
    name = f"fcis_ros_test_{os.getpid()}_{{}}"
    monkeypatch.setattr(ros_domains, "LOCK", "\0" + name)
    return name


def test_held_domain_within_a_process_is_never_held_twice():
    with contextlib.ExitStack() as held:
        numbers = [held.enter_context(held_domain()) for _ in range(COUNT)]
        assert sorted(numbers) == list(range(1, COUNT + 1))
        with pytest.raises(RuntimeError, match="other tests hold all 101 ROS domains"):
            held.enter_context(held_domain())


def test_held_domain_of_another_process_is_skipped_until_it_ends(name):
    command = [sys.executable, "-c", HOLD_ONE, name]
    folder = Path(__file__).parent
    with subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        taken = int(other.stdout.readline())
        with contextlib.ExitStack() as held:
            numbers = [held.enter_context(held_domain()) for _ in range(COUNT - 1)]
        assert sorted([*numbers, taken]) == list(range(1, COUNT + 1))
        other.kill()
    with contextlib.ExitStack() as held:
        assert taken in [held.enter_context(held_domain()) for _ in range(COUNT)]
