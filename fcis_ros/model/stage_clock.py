# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""How long the stages of a frame take, on the device that does the work, without waiting for it in between."""

import inspect
import itertools
import time

import torch

# Whether events can be nodes of a CUDA graph, recorded again by every replay: newer PyTorch.
EXTERNAL = "external" in inspect.signature(torch.cuda.Event.__new__).parameters


class StageClock:
    """Starts when it is made; ``mark`` ends a stage. What is marked several times, once for each image of a batch, is summed.

    On CUDA the marks are events in the current stream: a stage begins when the one before it is done there, however far ahead
    of it the host is. A clock whose marks are captured in a graph tells the times of its last replay; of older PyTorch none.
    """

    def __init__(self, device: torch.device, captured: bool = False):
        self._device, self._captured = device, captured
        self._stages: list[str] = []
        self._times: list[float] = []  # of each stage, on a CPU
        self._events: list[torch.cuda.Event] = []  # of each stage, on CUDA
        self.mark("start")

    def mark(self, stage: str) -> None:
        """Ends a stage, which began at the last mark."""
        if self._device.type == "cuda":
            if self._captured and not EXTERNAL:
                return
            now = torch.cuda.Event(enable_timing=True, **({"external": True} if self._captured else {}))
            now.record(torch.cuda.current_stream(self._device))
            self._events.append(now)
        else:
            self._times.append(time.perf_counter())
        self._stages.append(stage)

    def stage_ms(self) -> dict[str, float]:
        """Milliseconds of each stage, in order; waits for the last mark."""
        if self._events:
            self._events[-1].synchronize()
            taken = [before.elapsed_time(after) for before, after in itertools.pairwise(self._events)]
        else:
            taken = [(after - before) * 1000 for before, after in itertools.pairwise(self._times)]
        total: dict[str, float] = {}
        for stage, own in zip(self._stages[1:], taken, strict=True):
            total[stage] = total.get(stage, 0.0) + own
        return total
