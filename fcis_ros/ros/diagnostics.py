# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The content of /diagnostics as plain values. Levels depend on the last seconds only."""

import os
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fcis_ros.ros.frame_queue import OUTCOMES, FrameCounts
from fcis_ros.ros.input_diagnosis import Silence

OK, WARN, ERROR = 0, 1, 2  # as diagnostic_msgs/DiagnosticStatus has them
WINDOW = 5.0  # seconds over which rates, times and levels are computed


@dataclass(frozen=True)
class Status:
    """One ``DiagnosticStatus`` in plain Python."""

    name: str
    level: int
    message: str
    values: Mapping[str, object]


class Recent:
    """Measurements of the last seconds, thread-safe; times are seconds of a steady clock."""

    def __init__(self, window: float = WINDOW, limit: int = 2000):
        self._window = window
        self._lock = threading.Lock()
        self._entries: deque[tuple[float, Mapping[str, float]]] = deque(maxlen=limit)

    def add(self, now: float, values: Mapping[str, float]) -> None:
        """Adds the values of one frame."""
        with self._lock:
            self._entries.append((now, values))

    def percentiles(self, now: float, wanted: Sequence[float]) -> dict[str, list[float]]:
        """Returns {name: percentiles} of the values within the window; empty if there are none."""
        with self._lock:
            recent = [values for moment, values in self._entries if now - moment <= self._window]
        names = dict.fromkeys(name for values in recent for name in values)
        series = {name: [values[name] for values in recent if name in values] for name in names}
        return {name: [float(p) for p in np.percentile(values, wanted)] for name, values in series.items()}


class RateWindow:
    """Computes how counts have grown within the window; called about once per second.

    It begins with zero counts, so that frames before the first call, which a busy machine delays, are included.
    """

    def __init__(self, now: float, window: float = WINDOW):
        self._window = window
        self._history: deque[tuple[float, FrameCounts]] = deque([(now, FrameCounts())])

    def __call__(self, now: float, counts: FrameCounts) -> tuple[dict[str, int], float]:
        """Adds the counts of this moment.

        Returns:
            {count: growth} since the beginning of the window, and the seconds since then.
        """
        self._history.append((now, counts))
        while len(self._history) > 2 and now - self._history[1][0] >= self._window:
            self._history.popleft()
        then, before = self._history[0]
        names = ("received", *OUTCOMES)
        return {name: getattr(counts, name) - getattr(before, name) for name in names}, now - then


def camera_status(
    name: str,
    state: str,
    counts: FrameCounts,
    added: Mapping[str, int],
    seconds: float,
    times: Mapping[str, Sequence[float]],
    silence: Silence | None,
    problems: Sequence[str],
    facts: Mapping[str, object],
) -> Status:
    """Returns the status of one camera.

    Args:
        name: the name of the status.
        state: the state of the life cycle, or ``disabled``.
        counts: the counts since the start.
        added: {count: growth} within the window.
        seconds: the length of the window.
        times: {name: [median, 95th percentile]} in milliseconds, within the window.
        silence: the reason why no images arrive; None if they do.
        problems: the problems with headers within the window.
        facts: {key: value} of further values.
    """
    rate = {name: f"{added[name] / seconds:.1f}" if seconds else "0.0" for name in ("received", "processed")}
    values = {"state": state, "input_hz": rate["received"], "output_hz": rate["processed"]}
    values |= {f"frames_{name}": getattr(counts, name) for name in ("received", *OUTCOMES, "waiting")}
    for key, (p50, p95) in times.items():
        values |= {f"{key}_p50": f"{p50:.1f}", f"{key}_p95": f"{p95:.1f}"}
    values |= facts
    window = f"in the last {seconds:.0f} s"
    if state != "active":
        level, message = OK, state
    elif added["failed"]:
        level, message = ERROR, f"{added['failed']} frames failed {window}"
    elif silence:
        level, message = ERROR if silence.error else WARN, silence.text
    elif added["rejected"]:
        level, message = WARN, f"{added['rejected']} frames rejected {window}"
    elif added["stale"] and not added["processed"]:
        level, message = WARN, f"all {added['stale']} frames {window} were older than max_age_ms"
    elif problems:
        level, message = WARN, problems[0]
    else:
        level, message = OK, f"{rate['processed']} of {rate['received']} frames/s"
    return Status(name, level, message, values)


def model_status(
    state: str, progress: str, times: Mapping[str, Sequence[float]], ignored: int, facts: Mapping[str, object]
) -> Status:
    """Returns the status of the model and the process.

    Args:
        state: the state of the life cycle.
        progress: the step of loading; empty while nothing is loaded.
        times: {stage: [median]} in milliseconds, within the window.
        ignored: the number of ROIs left out within the window because their values were NaN.
        facts: {key: value} of further values.
    """
    values = {"state": state, **({"loading": progress} if progress else {}), **facts}
    values |= {"memory_mb": f"{resident_bytes() / 2**20:.0f}"}
    values |= {f"stage_ms.{stage}": f"{p50:.2f}" for stage, (p50,) in times.items()}
    if ignored:
        return Status("model", WARN, f"{ignored} ROIs were left out because their values are NaN: the model is damaged", values)
    return Status("model", OK, f"{state}: {progress}" if progress else state, values)


def resident_bytes() -> int:
    """Returns the resident memory of this process; 0 if unknown."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")
    except OSError:
        return 0
