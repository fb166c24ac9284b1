# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import time

import torch

from fcis_ros.model.stage_clock import StageClock


def test_each_stage_has_its_own_time():
    clock = StageClock(torch.device("cpu"))
    assert clock.stage_ms() == {}
    time.sleep(0.03)
    clock.mark("slow")
    clock.mark("fast")
    times = clock.stage_ms()
    assert list(times) == ["slow", "fast"]
    assert times["slow"] >= 30 > times["fast"] >= 0


def test_what_is_marked_twice_is_summed():
    clock = StageClock(torch.device("cpu"))
    for stage in ("both", "other", "both"):
        time.sleep(0.02)
        clock.mark(stage)
    times = clock.stage_ms()
    assert list(times) == ["both", "other"] and times["both"] >= 40 and times["other"] >= 20
