# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The script of continuous integration, with a ``make`` that only fails or dies where a test asks for it."""

import os
import re
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / ".ci" / "run"
MAKE = """#!/bin/bash
echo "making $1"
[ "$1" != "$DIES_AT" ] || kill -9 $PPID
[ "$1" != "$FAILS_AT" ] || exit 3
"""
PHASES = {
    "setup": "set-up", "setup-oldest": "set-up of the oldest versions", "setup-jazzy": "set-up of Jazzy",
    "try-builds": "builds", "lint": "lint", "try-robot-path": "robot path", "test": "make test", "test-slow": "slow tests",
    "test-oldest": "oldest versions", "test-jazzy": "Jazzy",
}  # fmt: skip
TIMED = re.compile(r"^ci: +\d+ s  (.+)$", re.MULTILINE)


@pytest.fixture
def run_ci(tmp_path):
    (tmp_path / "make").write_text(MAKE)
    (tmp_path / "make").chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "DIES_AT": "", "FAILS_AT": ""}
    return lambda **changes: subprocess.run([SCRIPT], env=environment | changes, capture_output=True, text=True, timeout=60)


def test_ci_run_passing_phases_are_timed_and_status_is_zero(run_ci):
    done = run_ci()
    assert done.returncode == 0, done.stdout
    assert sorted(TIMED.findall(done.stdout)) == sorted(PHASES.values())
    assert all(f"making {target}\n" in done.stdout for target in PHASES) and "failed" not in done.stdout


@pytest.mark.parametrize("target", PHASES)
def test_ci_run_failing_phase_is_named_and_others_run(run_ci, target):
    done = run_ci(FAILS_AT=target)
    assert done.returncode == 1 and sorted(TIMED.findall(done.stdout)) == sorted(PHASES.values())
    assert done.stdout.splitlines()[-1] == f"ci: failed with status 3: {PHASES[target]}"


@pytest.mark.parametrize(("target", "lane"), [("setup", "usual"), ("try-builds", "builds"), ("lint", "jazzy_lint_robot")])
def test_ci_run_killed_lane_is_named_and_later_phases_run(run_ci, target, lane):
    done = run_ci(DIES_AT=target)
    assert done.returncode == 1 and "making test-jazzy\n" in done.stdout
    assert done.stdout.splitlines()[-1] == f"ci: ended with status 137: {lane}"
