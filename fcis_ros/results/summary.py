# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Computes the contents of report.json from the folder of an evaluation, without the network."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fcis_ros.findings import LISTED, Finding, counted, from_json, listing, to_json
from fcis_ros.metrics.average_precision import RECALLS, curves, measure, sweep
from fcis_ros.results.frame_record import DetectionCounts, FrameRecord, count_detections, to_table
from fcis_ros.results.frame_selection import FrameSelection, frame_key
from fcis_ros.results.run_reader import COMPLETE, RunReader
from fcis_ros.results.short_names import short_names, without_folders
from fcis_ros.results.track_measures import measure_tracks
from fcis_ros.versions import versions

LATENCIES = ("p50", "p95", "p99", "max")
NAMED_BAGS = 3  # maximum number of recordings that are named; of more only the number is given


class ObjectCounts:
    """Counts over all frames, in one pass.

    Args:
        score: score threshold.
        bag_names: names of the recordings.
    """

    def __init__(self, score: float, bag_names: Sequence[str]):
        self._score = score
        self._bag_names = bag_names
        self._first: dict[int, int] = {}  # log time of each recording's first frame
        self._shown: dict[tuple[int, int], dict[str, Any]] = {}  # of the frames to show
        self._bins: dict[tuple[int, int], dict[str, Any]] = {}
        self._problems: Counter[tuple[str, str]] = Counter()  # unusable frames by source and reason
        self._other_classes: Counter[tuple[str, str]] = Counter()  # objects by source and class that the model lacks
        self._selection = FrameSelection(score)
        self.frames = self.annotated = self.repeated = self.tracked = self.detections = 0
        self.unusable: str | None = None

    def annotated_frames(self, frames: Iterator[FrameRecord]) -> Iterator[FrameRecord]:
        """Counts all frames, and yields those with ground truth."""
        for frame in frames:
            self._add(frame)
            if frame["truth"] is not None:
                self.annotated += 1
                yield frame

    def _add(self, frame: FrameRecord) -> None:
        self.frames += 1
        self.detections += len(frame["scores"])
        self.repeated += frame["repeated"]
        self.tracked += frame["tracked"]
        second = (frame["log_time"] - self._first.setdefault(frame["bag"], frame["log_time"])) / 1e9
        if frame["problem"]:
            self.leave_out(self._bag_names[frame["bag"]], [frame["problem"]])
            return
        for name, count in frame.get("other_classes", {}).items():
            self._other_classes[self._bag_names[frame["bag"]], name] += count
        counts, annotated = count_detections(frame, self._score), frame["truth"] is not None
        if not annotated:  # only the number of detections is known
            counts = DetectionCounts(counts.score, 0, 0, 0, 0.0, counts.detections)
        errors = {"right": counts.true_positives, "wrong": counts.false_positives, "missed": counts.false_negatives}
        time_bin = self._bins.setdefault((frame["bag"], frame["moment"]), Counter())
        time_bin.update(frames=1, **errors, found=counts.detections)
        time_bin.setdefault("second", second)
        if self._selection.add(frame):
            shown = {name: frame[name] for name in ("bag", "index", "name", "stamp")}
            shown |= {"second": second, "annotated": annotated, **errors, "largest_missed": counts.largest_missed}
            self._shown[frame_key(frame)] = shown
            for other in self._shown.keys() - self._selection.keys():
                del self._shown[other]

    def leave_out(self, source: str, problems: Iterable[str]) -> None:
        """Counts unusable frames of a source, such as a recording, by their problems."""
        for problem in problems:
            self.unusable = self.unusable or problem
            self._problems[source, problem.split(": ", 1)[-1]] += 1

    @property
    def reasons(self) -> dict[str, int]:
        """{reason: number of frames that are unusable because of it}."""
        reasons: Counter[str] = Counter()
        for (_, reason), count in self._problems.items():
            reasons[reason] += count
        return dict(sorted(reasons.items()))

    def findings(self) -> Iterator[Finding]:
        """Yields a finding for every reason of unusable frames, the most frequent first (rare ones are counted together), and a
        remark for every class of the frames' ground truth that the model lacks."""
        by_source: dict[str, list[tuple[int, str]]] = {}
        for (source, reason), count in self._problems.items():
            by_source.setdefault(source, []).append((-count, reason))
        for source, reasons in by_source.items():
            ordered = sorted(reasons)
            for count, reason in ordered[:LISTED]:
                yield Finding(source, f"{counted(-count, 'frame')}: {reason}")
            if rare := ordered[LISTED:]:
                yield Finding(source, f"{counted(-sum(count for count, _ in rare), 'frame')}: {len(rare)} other reasons")
        for (source, name), count in sorted(self._other_classes.items()):
            yield Finding(source, f"{counted(count, 'object')} of class {name}, which the model does not have", lost=False)

    def gallery(self) -> dict[str, list[dict[str, Any]]]:
        """Returns the frames to show: best, worst and missed, highest rank first."""
        selected = self._selection
        return {
            name: [self._shown[key] for key in sorted(ranks, key=ranks.__getitem__, reverse=True)]
            for name, ranks in (("best", selected.best), ("worst", selected.worst), ("missed", selected.missed))
        }

    def timeline(self) -> list[dict[str, Any]]:
        """Returns the counts of each time bin of the recordings, in order, and the frame that shows it."""
        pictures = {key: self._shown[next(iter(ranks))] for key, ranks in self._selection.time_bins.items()}
        return [{"bag": key[0], **self._bins[key], "picture": pictures[key]} for key in sorted(self._bins)]


def summarise(folder: Path, score: float | None = None) -> dict[str, Any]:
    """Returns the contents of report.json, for the frames so far if the evaluation is incomplete.

    They hold no run time, which is in timing.json: two offline evaluations of the same input have the same report.

    Args:
        folder: folder of the evaluation.
        score: score threshold; None for that of the evaluation.

    Raises:
        InputError: the folder holds no evaluation.
    """
    reader = RunReader(folder)
    run, what = reader.run, reader.spec
    names = what["class_names"]
    score = what["score"] if score is None else score
    bag_names = short_names([bag["path"] for bag in what["bags"]])
    counts = ObjectCounts(score, bag_names)
    joined = to_table(counts.annotated_frames(reader.frames()))
    measured = measure(joined, names) if counts.annotated else None
    for source, problems in what.get("left_out", {}).items():
        counts.leave_out(source, problems)
    unusable = sum(counts.reasons.values())
    findings = [*from_json(what.get("findings", ())), *counts.findings(), *unfinished(run, bag_names)]
    findings += unmatched(run, counts.annotated, counts.frames - unusable)
    return {
        "mode": what["mode"],
        "complete": run["state"] == COMPLETE,
        "state": run["state"],
        "problem": run["problem"],
        "input": what.get("input") or describe(what["bags"]),
        "bags": what["bags"],
        "shard": what["shard"],
        "truth": what["truth"],
        "findings": to_json(findings),
        "frames_unusable": unusable,
        "unusable": counts.unusable,
        "unusable_reasons": counts.reasons,
        "frames_annotated": counts.annotated,
        "frames_repeated": counts.repeated,
        "matched_by": what["truth"] and what["truth"]["matched_by"],
        "detections": counts.detections,
        "score_floor": what["score_floor"],
        "score": score,
        "evaluated_score": what["score"],
        **(live_figures(reader, names) if what["mode"] == "live" else offline_figures(counts.frames, unusable)),
        "device": what["device"],
        "precision": what["precision"],
        "model": what["model"]["name"],
        "model_sha256": what["model"]["sha256"],
        "ap": measured and _ap(measured),
        "mAPr": measured and measured["mAPr"],
        "curve": curve(joined, names) if measured else None,
        "sweep": sweep(joined, names) if measured else None,
        "tracks": measure_tracks(folder, score) if counts.tracked else None,
        "gallery": counts.gallery(),
        "timeline": counts.timeline(),
        "seed": what.get("seed"),
        "versions": versions(),
    }


def _ap(measured: Mapping[str, Any]) -> dict[str, Any]:
    return {name: measured[name] for name in ("segm", "bbox", "per_class")}


def offline_figures(frames: int, unusable: int) -> dict[str, Any]:
    """Returns the fields of a live evaluation for an offline one: no frame is dropped, and nothing is timed."""
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


def live_figures(reader: RunReader, names: list[str]) -> dict[str, Any]:
    """Returns the fields of a live evaluation: drops, latencies, and AP over the frames that the node answered."""
    live = reader.live()
    latencies = [value for value in live["latency_ms"] if value is not None]
    usable = (frame for frame in reader.frames() if not frame["problem"])
    answered = (frame for frame, latency in zip(usable, live["latency_ms"], strict=False) if latency is not None)
    joined = to_table(frame for frame in answered if frame["truth"] is not None)
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


def unfinished(run: Mapping[str, Any], names: Sequence[str]) -> Iterator[Finding]:
    """Yields what an evaluation that is not complete lacks.

    Args:
        run: content of run.json.
        names: names of the recordings.
    """
    if run["state"] != COMPLETE:
        reason = run["problem"] or "run the same command again to resume"
        text = without_folders(reason, [bag["path"] for bag in run["what"]["bags"]])
        yield Finding(listing(names, NAMED_BAGS), f"not complete ({run['state']}): {text}")


def unmatched(run: Mapping[str, Any], annotated: int, usable: int) -> Iterator[Finding]:
    """Yields that ground truth belongs to none of the frames of a whole evaluation; one shard may have none of them.

    Args:
        run: content of run.json.
        annotated: number of frames with ground truth.
        usable: number of usable frames.
    """
    truth = run["what"]["truth"]
    if truth and usable and not annotated and run["state"] == COMPLETE and run["what"]["shard"][1] == 1:
        name = truth.get("file") or truth.get("topic") or "ground truth"
        yield Finding(name, f"of none of {counted(usable, 'frame')}, matched by {truth['matched_by']}")


def describe(bags: list[Mapping[str, Any]]) -> str:
    """Returns the names and topics of the first recordings as text."""
    names = short_names([bag["path"] for bag in bags])
    return listing((f"bag {name}, topic {bag['topic']}" for name, bag in zip(names, bags, strict=True)), NAMED_BAGS)


def curve(joined: Any, names: list[str]) -> dict[str, Any]:
    """Returns precision of masks at an overlap of 0.5 for each recall, by class; classes without objects are left out."""
    precision = curves(joined, joined.matches.masks[:, 0], 0, range(1, len(names) + 1))[0]
    known = {name: precision[:, index].tolist() for index, name in enumerate(names) if precision[0, index] > -1}
    return {"recall": RECALLS.tolist(), "precision": known}
