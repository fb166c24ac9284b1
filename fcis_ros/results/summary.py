# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""An evaluation's folder -> the contents of report.json. Nothing is computed by the network again."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fcis_ros.metrics.average_precision import RECALLS, curves, measure, sweep
from fcis_ros.results.frame_record import DetectionCounts, FrameRecord, rates, table
from fcis_ros.results.frame_selection import FrameSelection, key
from fcis_ros.results.store import COMPLETE, read_frames, read_live, read_run
from fcis_ros.results.track_measures import measure_tracks
from fcis_ros.versions import versions

LATENCIES = ("p50", "p95", "p99", "max")
NAMED_BAGS = 3  # of more only the number is said


class ObjectCounts:
    """What adds up frame by frame, in one pass."""

    def __init__(self, score: float):
        self._score = score
        self._first: dict[int, int] = {}  # time of each recording's first frame
        self._seen: dict[tuple[int, int], dict[str, Any]] = {}  # of the frames to show
        self._moments: dict[tuple[int, int], dict[str, Any]] = {}
        self._problems: Counter[str] = Counter()
        self._choice = FrameSelection(score)
        self.frames = self.annotated = self.repeated = self.tracked = self.detections = 0
        self.unusable: str | None = None

    def compared(self, frames: Iterator[FrameRecord]) -> Iterator[FrameRecord]:
        """Looks at all frames, and hands on those that have truth."""
        for frame in frames:
            self._look_at(frame)
            if frame["truth"] is not None:
                self.annotated += 1
                yield frame

    def _look_at(self, frame: FrameRecord) -> None:
        self.frames += 1
        self.detections += len(frame["scores"])
        self.repeated += frame["repeated"]
        self.tracked += frame["tracked"]
        second = (frame["log_time"] - self._first.setdefault(frame["bag"], frame["log_time"])) / 1e9
        if frame["problem"]:
            self.leave_out([frame["problem"]])
            return
        own = rates(frame, self._score)
        none = DetectionCounts(own.score, 0, 0, 0, 0.0, own.found)  # is known about a frame without truth
        own = none if frame["truth"] is None else own
        right, wrong, missed, largest = own.right, own.wrong, own.missed, own.largest
        moment = self._moments.setdefault((frame["bag"], frame["moment"]), Counter())
        moment.update(frames=1, right=right, wrong=wrong, missed=missed, found=own.found)
        moment.setdefault("second", second)
        if self._choice.add(frame):
            shown = {name: frame[name] for name in ("bag", "index", "name", "stamp")}
            known = {"annotated": frame["truth"] is not None, "right": right, "wrong": wrong, "missed": missed}
            self._seen[key(frame)] = {**shown, "second": second, **known, "largest_missed": largest}
            for other in self._seen.keys() - self._choice.keys():
                del self._seen[other]

    def leave_out(self, problems: Iterable[str]) -> None:
        """Notes why frames could not be used."""
        for problem in problems:
            self.unusable = self.unusable or problem
            self._problems[problem.split(": ", 1)[-1]] += 1

    @property
    def reasons(self) -> dict[str, int]:
        """{why frames could not be used: how many}."""
        return dict(sorted(self._problems.items()))

    def gallery(self) -> dict[str, list[dict[str, Any]]]:
        """The frames to show: best, worst and missed, the foremost first."""
        return {
            name: [self._seen[own] for own in sorted(kept, key=kept.__getitem__, reverse=True)]
            for name, kept in (("best", self._choice.best), ("worst", self._choice.worst), ("missed", self._choice.missed))
        }

    def timeline(self) -> list[dict[str, Any]]:
        """What happened in each moment of the recordings, in order, and the frame that shows it."""
        pictures = {moment: self._seen[next(iter(kept))] for moment, kept in self._choice.moments.items()}
        return [{"bag": own[0], **self._moments[own], "picture": pictures[own]} for own in sorted(self._moments)]


def summarise(folder: Path, score: float | None = None) -> dict[str, Any]:
    """The contents of report.json, as far as the evaluation got.

    There are no times in it: those of an offline evaluation are in timing.json, and the report is the same every time.

    Args:
        folder: of the evaluation.
        score: instances count as found from this score on; None: from the one that the pictures were drawn with.

    Raises:
        InputError: the folder holds no evaluation.
    """
    run = read_run(folder)
    what = run["what"]
    names = what["class_names"]
    score = what["score"] if score is None else score
    seen = ObjectCounts(score)
    joined = table(seen.compared(read_frames(folder)))
    measured = measure(joined, names) if seen.annotated else None
    seen.leave_out(what.get("left_out", ()))
    unusable = sum(seen.reasons.values())
    return {
        "mode": what["mode"],
        "complete": run["state"] == COMPLETE,
        "state": run["state"],
        "problem": run["problem"],
        "input": what.get("input") or describe(what["bags"]),
        "bags": what["bags"],
        "shard": what["shard"],
        "truth": what["truth"],
        "frames_unusable": unusable,
        "unusable": seen.unusable,
        "unusable_reasons": seen.reasons,
        "frames_annotated": seen.annotated,
        "frames_repeated": seen.repeated,
        "matched_by": what["truth"] and what["truth"]["matched_by"],
        "detections": seen.detections,
        "score_floor": what["score_floor"],
        "score": score,
        "evaluated_score": what["score"],
        **(live_figures(folder, names) if what["mode"] == "live" else offline_figures(seen.frames, unusable)),
        "device": what["device"],
        "precision": what["precision"],
        "model": what["model"]["name"],
        "model_sha256": what["model"]["sha256"],
        "ap": measured and _ap(measured),
        "mAPr": measured and measured["mAPr"],
        "curve": curve(joined, names) if measured else None,
        "sweep": sweep(joined, names) if measured else None,
        "tracks": measure_tracks(folder, score) if seen.tracked else None,
        "gallery": seen.gallery(),
        "timeline": seen.timeline(),
        "seed": what.get("seed"),
        "versions": versions(),
    }


def _ap(measured: Mapping[str, Any]) -> dict[str, Any]:
    return {name: measured[name] for name in ("segm", "bbox", "per_class")}


def offline_figures(frames: int, unusable: int) -> dict[str, Any]:
    """What would be measured of a node: nothing is dropped, and times are no part of the result."""
    return {
        "frames_in": frames,
        "frames_out": frames - unusable,
        "frames_dropped": 0,
        "dropped": {},
        "latency_ms": dict.fromkeys(LATENCIES),
        "stage_ms": {},
        "fps": None,
        "ap_answered": None,
    }


def live_figures(folder: Path, names: list[str]) -> dict[str, Any]:
    """What was measured of a node: what it dropped, how long it took, and AP over the frames that it answered."""
    live = read_live(folder)
    latencies = [value for value in live["latency_ms"] if value is not None]
    usable = (frame for frame in read_frames(folder) if not frame["problem"])
    answered = (frame for frame, latency in zip(usable, live["latency_ms"], strict=False) if latency is not None)
    joined = table(frame for frame in answered if frame["truth"] is not None)
    quantiles = np.percentile(latencies, [50, 95, 99, 100]).round(2).tolist() if latencies else [None] * 4
    return {
        "frames_in": len(live["sent"]),
        "frames_out": len(latencies),
        "frames_dropped": len(live["sent"]) - len(latencies),
        "dropped": live["dropped"],
        "latency_ms": dict(zip(LATENCIES, quantiles, strict=True)),
        "stage_ms": {name: round(value, 2) for name, value in live["stage_ms"].items()},
        "fps": round(len(latencies) / live["seconds"], 2) if live["seconds"] > 0 else 0.0,
        "input_fps": live["rate"] and round(live["rate"], 2),
        "ap_answered": _ap(measure(joined, names)) if joined.images else None,
    }


def describe(bags: list[Mapping[str, Any]]) -> str:
    """Recordings in a few words."""
    text = ", ".join(f"bag {bag['path']}, topic {bag['topic']}" for bag in bags[:NAMED_BAGS])
    return text + (f" and {len(bags) - NAMED_BAGS} more" if len(bags) > NAMED_BAGS else "")


def curve(joined: Any, names: list[str]) -> dict[str, Any]:
    """Precision of masks at an overlap of 0.5 for each recall, by class; classes without objects are left out."""
    precision = curves(joined, joined.matches.masks[:, 0], 0, range(1, len(names) + 1))[0]
    known = {name: precision[:, index].tolist() for index, name in enumerate(names) if precision[0, index] > -1}
    return {"recall": RECALLS.tolist(), "precision": known}
