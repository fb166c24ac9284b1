# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Trains the rungs of the ladder one after the other and measures each on a drive that is held out of CamVid's train frames.

Val and test frames take no part. OUT gets a folder for each run, figures.json and table.md; runs that are complete are kept,
an interrupted one is resumed.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from statistics import mean
from typing import Any

from experiments.ladder.data import write_splits
from experiments.ladder.figures import measure_drive, rescore
from experiments.ladder.rungs import RUNGS, Rung, settings
from fcis_ros.data.coco_dataset import CocoDataset
from fcis_ros.files import atomic_path
from fcis_ros.model.predictor import Predictor
from fcis_ros.training.train_config import TrainConfig

COLUMNS = ("AP", "AP50", "AP75", "car", "pedestrian", "bicyclist", "false", "true")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments.ladder", description=__doc__)
    parser.add_argument(
        "--rungs", nargs="+", choices=list(RUNGS), default=list(RUNGS), metavar="NAME", help=f"of {list(RUNGS)}"
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1], help="one run each (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=400, help="optimiser steps of a run (default: %(default)s)")
    parser.add_argument("--config", type=Path, default=Path("config/train_road.json"), help="the recipe (default: %(default)s)")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of camvid/ and coco100/")
    parser.add_argument("--out", type=Path, default=Path("out/ladder"), help="folder (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of training (default: %(default)s)")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    write_splits(arguments.data / "camvid", arguments.data / "coco100", arguments.out)
    recipe = TrainConfig.read(arguments.config).to_dict()
    for seed in arguments.seeds:
        for name in arguments.rungs:
            run(name, RUNGS[name], seed, recipe, arguments)
            write_table(arguments.out, arguments.steps)


def run(name: str, rung: Rung, seed: int, recipe: dict[str, Any], arguments: argparse.Namespace) -> None:
    """Trains one rung with one seed, and writes its figures."""
    folder = arguments.out / f"{name.replace(' ', '_').replace(',', '')}.{arguments.steps}.{seed}"
    folder.mkdir(exist_ok=True)
    figures = folder / "figures.json"
    if figures.exists():
        return
    config = folder / "config.json"
    chosen = settings(recipe, rung, arguments.steps, seed)
    config.write_text(json.dumps(chosen, indent=1))
    annotations = arguments.out / f"{rung.train}.json"
    backbone = chosen["model"]["backbone"]
    command = [sys.executable, "-m", "fcis_ros", "train", "--config", config, "--out", folder, "--resume", "auto"]
    command += ["--annotations", annotations, "--images", arguments.data, "--threads", str(arguments.threads)]
    command += ["--init", backbone] if rung.pretrained and backbone.startswith("efficientnet") else []
    print(f"{name}, seed {seed}", flush=True)
    subprocess.run(list(map(str, command)), check=True)
    model = folder / "model.safetensors"
    held_out = CocoDataset(arguments.out / "held_out.json", arguments.data, recipe["model"]["class_names"])
    predictor = Predictor.from_checkpoint(model, "cpu", arguments.threads)
    found = {"plain": measure_drive(predictor, held_out)}
    rescore(predictor)
    found["rescored"] = measure_drive(predictor, held_out)
    state = {"rung": name, "seed": seed, "steps": arguments.steps, "figures": found}
    with atomic_path(figures) as partial:
        partial.write_text(json.dumps(state, indent=1))


def write_table(out: Path, steps: int) -> None:
    """Writes the mean over the seeds of every rung, and the range of AP50."""
    runs = [json.loads(path.read_text()) for path in sorted(out.glob("*/figures.json"))]
    runs = [entry for entry in runs if entry["steps"] == steps]
    lines = [f"| rung | seeds | {' | '.join(COLUMNS)} |", f"|{'---|' * (len(COLUMNS) + 2)}"]
    for name in RUNGS:
        for variant in ("plain", "rescored") if name == "recipe" else ("plain",):
            figures = [entry["figures"][variant] for entry in runs if entry["rung"] == name]
            if not figures:
                continue
            cells = []
            for column in COLUMNS:
                values = [each.get(column, float("nan")) for each in figures]
                spread = f" ({min(values):.3f} to {max(values):.3f})" if column == "AP50" and len(values) > 1 else ""
                cells.append(f"{mean(values):.3f}{spread}")
            title = "recipe, masks rescored" if variant == "rescored" else name
            lines.append(f"| {title} | {len(figures)} | {' | '.join(cells)} |")
    (out / "table.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
