# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
from types import SimpleNamespace

import pytest

from fcis_ros.ros.header_checks import HeaderCheck, nanoseconds


def header(seconds: int, nanoseconds: int = 0, frame_id: str = "camera"):
    return SimpleNamespace(stamp=SimpleNamespace(sec=seconds, nanosec=nanoseconds), frame_id=frame_id)


@pytest.mark.parametrize(
    ("bad", "named"),
    [(header(0), "no time stamp"), (header(-5, 7), "negative time stamp"), (header(5, frame_id=""), "empty frame_id")],
)
def test_header_check_bad_header_names_problem(bad, named):
    (problem,) = HeaderCheck()(bad).problems
    assert named in problem and not any(digit in problem for digit in "0123456789")


def test_header_check_earlier_stamp_is_jump_without_problem():
    check = HeaderCheck()
    stamps = [(10, 0), (10, 500_000_000), (10, 500_000_000), (3, 0), (4, 0)]
    verdicts = [check(header(*stamp)) for stamp in stamps]
    assert [verdict.jumped_back for verdict in verdicts] == [0, 0, 0, 7.5, 0]
    assert not any(verdict.problems for verdict in verdicts)


def test_nanoseconds_negative_stamp_is_negative():
    assert nanoseconds(header(-1, 250_000_000).stamp) == -750_000_000
