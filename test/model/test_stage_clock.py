# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import time

import pytest
import torch

from fcis_ros.model.stage_clock import StageClock


@pytest.fixture
def pass_time(monkeypatch):
    """``pass_time(seconds)`` in place of the machine's own clock."""
    now = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])

    def wait(seconds: float) -> None:
        now[0] += seconds

    return wait


def test_each_stage_has_its_own_time(pass_time):
    clock = StageClock(torch.device("cpu"))
    assert clock.stage_ms() == {}
    pass_time(0.5)
    clock.mark("slow")
    pass_time(0.25)
    clock.mark("fast")
    pass_time(9)  # after the last mark: nobody's
    assert clock.stage_ms() == {"slow": 500, "fast": 250}


def test_what_is_marked_twice_is_summed(pass_time):
    clock = StageClock(torch.device("cpu"))
    for stage, seconds in (("both", 0.5), ("other", 0.25), ("both", 1)):
        pass_time(seconds)
        clock.mark(stage)
    times = clock.stage_ms()
    assert times == {"both": 1500, "other": 250} and list(times) == ["both", "other"]
