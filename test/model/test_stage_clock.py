# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import threading
import time

import pytest
import torch

from fcis_ros.model.stage_clock import stage, timed_stages

CPU = torch.device("cpu")


@pytest.fixture
def pass_time(monkeypatch):
    """``pass_time(seconds)`` instead of the machine's clock."""
    now = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])

    def wait(seconds: float) -> None:
        now[0] += seconds

    return wait


def test_stage_has_the_time_since_the_previous_stage(pass_time):
    with timed_stages(CPU) as clock:
        assert clock.stage_ms() == {}
        pass_time(0.25)  # counts to the next stage
        with stage("slow"):
            pass_time(0.25)
        with stage("fast"):
            pass_time(0.25)
        with stage("slow"):  # once more: summed
            pass_time(1)
        pass_time(9)  # after the last stage: counts to none
    with stage("after the block"):
        pass
    times = clock.stage_ms()
    assert times == {"slow": 1500, "fast": 250} and list(times) == ["slow", "fast"]


def test_stage_nested_clocks_and_threads_are_separate(pass_time):
    with timed_stages(CPU) as outer:
        with pytest.raises(KeyError), timed_stages(CPU) as inner:
            with stage("inner"):
                pass_time(1)
            raise KeyError

        def elsewhere():
            with stage("elsewhere"):
                pass

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        with stage("outer"):
            pass_time(1)
    assert inner.stage_ms() == {"inner": 1000} and outer.stage_ms() == {"outer": 2000}


def test_stage_after_an_error_is_not_counted(pass_time):
    with timed_stages(CPU) as clock:
        with pytest.raises(KeyError), stage("failed"):
            raise KeyError
    assert clock.stage_ms() == {}
