# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""What ``fcis check`` says about folders that commands have written: evaluations, their shards, training runs."""

from pathlib import Path

from fcis_ros.findings import Finding, Inspection, from_json, source_of
from fcis_ros.results.merge import find_shards, progress
from fcis_ros.results.run_reader import COMPLETE, INTERRUPTED, RUNNING
from fcis_ros.results.summary import summarise
from fcis_ros.training.run_log import read_log

AGAIN = {COMPLETE: "reports it again", RUNNING: "resumes it", INTERRUPTED: "resumes it"}  # by state


def inspect_evaluation(folder: Path) -> Inspection:
    """Reads the folder of an evaluation whole; writes nothing.

    Raises:
        InputError: the evaluation is damaged.
    """
    report = summarise(folder)
    facts = {
        "state": report["state"],
        "input": report["input"],
        "frames": report["frames_in"],
        "frames evaluated": report["frames_out"],
        "frames annotated": report["frames_annotated"],
        "detections": report["detections"],
        "model": f"{report['model']} on {report['device']}, {report['precision']}",
        "mask AP": report["ap"] and report["ap"]["segm"]["AP"],
    }
    uses = {"report": "reports it again, with another score threshold or a baseline"}
    if report["mode"] != "live":
        uses["evaluate-bag"] = f"with the same arguments: {AGAIN.get(report['state'], 'refuses the folder, choose another')}"
    return Inspection(str(folder), "evaluation", facts, uses, from_json(report["findings"]))


def inspect_shards(folder: Path) -> Inspection:
    """Tells how far the shards of an evaluation are.

    Raises:
        InputError: they are of different evaluations, or damaged.
    """
    shards, spec = find_shards([folder])
    title, *lines = progress(shards)
    complete = all(shard.state == COMPLETE for shard in shards)
    uses = {"evaluate-merge": "merges them" if complete else "merges those that are complete, with --partial"}
    findings = (*from_json(spec.get("findings", ())), *(Finding(source_of(folder), line) for line in lines))
    return Inspection(str(folder), "shards of an evaluation", {"progress": title}, uses, findings)


def inspect_training_run(folder: Path) -> Inspection:
    """Tells how far a training run is."""
    log = folder / "log.jsonl"
    rows, findings = read_log(log) if log.is_file() else ([], ())
    evaluations = [row for row in rows if "evaluation" in row]
    facts = {"steps in the log": rows[-1]["step"] if rows else 0, "evaluations": len(evaluations)}
    uses = {}
    if (folder / "model.safetensors").is_file():
        uses["predict, evaluate, evaluate-bag, demo, node"] = f"take {folder.name}/model.safetensors"
    if (folder / "state.safetensors").is_file():
        uses["train"] = "continues it by --resume, with the arguments of the run"
    return Inspection(str(folder), "training run", facts, uses, findings)
