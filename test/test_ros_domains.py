# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import contextlib
import subprocess
import sys
from pathlib import Path

import pytest
from ros_domains import COUNT, held_domain

HOLD_ONE = "import ros_domains\nwith ros_domains.held_domain() as number:\n    print(number, flush=True)\n    input()\n"


def test_held_domain_of_one_process_is_never_held_twice_and_a_free_one_is_found():
    with contextlib.ExitStack() as others:
        numbers = [others.enter_context(held_domain()) for _ in range(COUNT - 5)]  # other test runs may hold a few
        assert len(set(numbers)) == len(numbers) and set(numbers) <= set(range(1, COUNT + 1))
        with held_domain() as number:
            assert number not in numbers
        with pytest.raises(RuntimeError, match="other tests hold all 101 ROS domains"):
            for _ in range(6):
                others.enter_context(held_domain())


def test_held_domain_of_another_process_is_skipped_until_it_ends():
    command = [sys.executable, "-c", HOLD_ONE]
    folder = Path(__file__).parent
    with subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        taken = int(other.stdout.readline())
        numbers = []
        for _ in range(COUNT - 1):
            with held_domain() as number:
                numbers.append(number)
        assert taken not in numbers
        other.kill()
    numbers = []
    for _ in range(COUNT):
        with held_domain() as number:
            numbers.append(number)
    assert taken in numbers
