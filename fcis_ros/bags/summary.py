# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""An evaluation's folder -> the contents of report.json. Nothing is computed by the network again."""

from collections import Counter
from pathlib import Path
from typing import Any

from fcis_ros.bags.frame_lines import table
from fcis_ros.bags.run_folder import COMPLETE, read_frames, read_run
from fcis_ros.evaluation.precision import measure, sweep
from fcis_ros.versions import versions

LATENCIES = ("p50", "p95", "p99", "max")


def summarise(folder: Path) -> dict[str, Any]:
    """The contents of report.json, as far as the evaluation got.

    There are no times in it: those of an offline evaluation are in timing.json, and the report is the same every time.

    Raises:
        InputError: the folder holds no evaluation.
    """
    run = read_run(folder)
    what = run["what"]
    frames = annotated = repeated = detections = 0
    problems: list[str] = []
    compared = []
    for frame in read_frames(folder):
        frames += 1
        detections += len(frame["scores"])
        repeated += frame["repeated"]
        if frame["problem"]:
            problems.append(frame["problem"])
        if frame["truth"] is not None:
            compared.append(frame)
    annotated = len(compared)
    joined = table(compared)
    measured = measure(joined, what["class_names"]) if annotated else None
    return {
        "mode": "offline",
        "complete": run["state"] == COMPLETE,
        "state": run["state"],
        "problem": run["problem"],
        "input": ", ".join(f"bag {bag['path']}, topic {bag['topic']}" for bag in what["bags"][:3])
        + (f" and {len(what['bags']) - 3} more" if len(what["bags"]) > 3 else ""),
        "bags": what["bags"],
        "shard": what["shard"],
        "frames_in": frames,
        "frames_out": frames - len(problems),
        "frames_dropped": 0,
        "dropped": {},
        "frames_unusable": len(problems),
        "unusable": problems[0] if problems else None,
        "unusable_reasons": dict(sorted(Counter(problem.split(": ", 1)[-1] for problem in problems).items())),
        "frames_annotated": annotated,
        "frames_repeated": repeated,
        "matched_by": what["truth"] and what["truth"]["matched_by"],
        "detections": detections,
        "score_floor": what["score_floor"],
        "score": what["score"],
        "latency_ms": dict.fromkeys(LATENCIES),
        "stage_ms": {},
        "fps": None,
        "device": what["device"],
        "precision": what["precision"],
        "model": what["model"]["name"],
        "ap": measured and {key: measured[key] for key in ("segm", "bbox", "per_class")},
        "mAPr": measured and measured["mAPr"],
        "sweep": sweep(joined, what["class_names"]) if annotated else None,
        "seed": None,
        "versions": versions(),
    }
