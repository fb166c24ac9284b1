# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""How long the stages of a frame take, on the device that does the work, without waiting for it in between."""

import inspect
import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch

# Whether events can be nodes of a CUDA graph, recorded again by every replay: newer PyTorch.
EXTERNAL = "external" in inspect.signature(torch.cuda.Event.__new__).parameters


class StageClock:
    """Times of consecutive stages, from its construction on. A stage that ends several times, once per image, is summed.

    On CUDA the ends are events in the current stream: a stage begins when the one before it is done there, however far ahead
    of it the host is. A clock whose events are captured in a graph gives the times of its last replay; of older PyTorch none.
    """

    def __init__(self, device: torch.device, captured: bool = False):
        self._device, self._captured = device, captured
        self._stages: list[str] = []
        self._times: list[float] = []  # of each stage, on a CPU
        self._events: list[torch.cuda.Event] = []  # of each stage, on CUDA
        self.end("start")

    def end(self, stage: str) -> None:
        """Ends a stage, which began at the end of the one before it."""
        if self._device.type == "cuda":
            if self._captured and not EXTERNAL:
                return
            event = torch.cuda.Event(enable_timing=True, **({"external": True} if self._captured else {}))
            event.record(torch.cuda.current_stream(self._device))
            self._events.append(event)
        else:
            self._times.append(time.perf_counter())
        self._stages.append(stage)

    def stage_ms(self) -> dict[str, float]:
        """Returns the milliseconds of each stage, in order; waits for the end of the last one."""
        if self._events:
            self._events[-1].synchronize()
            taken = [before.elapsed_time(after) for before, after in itertools.pairwise(self._events)]
        else:
            taken = [(after - before) * 1000 for before, after in itertools.pairwise(self._times)]
        total: dict[str, float] = {}
        for stage_name, milliseconds in zip(self._stages[1:], taken, strict=True):
            total[stage_name] = total.get(stage_name, 0.0) + milliseconds
        return total


_active: ContextVar[StageClock | None] = ContextVar("active stage clock", default=None)


@contextmanager
def timed_stages(device: torch.device, captured: bool = False) -> Iterator[StageClock]:
    """Starts a clock that times the stages of this block, in this thread; a clock that was active waits meanwhile.

    Args:
        device: the device that does the work.
        captured: True where a CUDA graph captures the block.

    Yields:
        The clock, which can be read after the block as well.
    """
    clock = StageClock(device, captured)
    token = _active.set(clock)
    try:
        yield clock
    finally:
        _active.reset(token)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Names a part of a frame's computation; does nothing where no clock is active.

    The active clock counts what happens between two stages to the second one.
    """
    yield
    # A compiler cannot trace the look-up; there is nothing to time while it traces.
    if not torch.compiler.is_compiling() and (clock := _active.get()) is not None:
        clock.end(name)
