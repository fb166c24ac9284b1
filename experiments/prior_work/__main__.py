# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Trains, evaluates and measures FCIS, the per-ROI network of MNC and the windows of InstanceFCN.

OUT gets, for each, its checkpoint and figures, then table.md and plot.png. Existing results are kept.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from experiments.prior_work import measuring, plot, report
from experiments.prior_work.heads import NAMES, coco, make_network, road
from experiments.prior_work.training import budget, evaluate, load, train
from fcis_ros.data.coco_dataset import CocoDataset
from fcis_ros.files import atomic_path, sha256
from fcis_ros.model import checkpoint
from fcis_ros.model.device import choose_device
from fcis_ros.training import provenance
from fcis_ros.training.data_check import check_images
from fcis_ros.training.distributed import ALONE

STEPS = ("train", "speed", "report")


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m experiments.prior_work", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out/prior_work"), help="folder, created (default: %(default)s)")
    parser.add_argument("--only", choices=STEPS, nargs="+", default=list(STEPS), help="some of these (default: all)")
    parser.add_argument("--heads", choices=NAMES, nargs="+", default=list(NAMES), help="train these (default: all)")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/camvid"), help="CamVid (default: %(default)s)")
    parser.add_argument("--config", default="config/train_road_r18.json", help="model and recipe (default: %(default)s)")
    start = "checkpoint whose backbone and RPN all start from, or none (default: %(default)s)"
    parser.add_argument("--init", default="weights/fcis_road_r18.safetensors", help=start)
    parser.add_argument("--steps", type=int, default=1000, help="of the optimiser (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=2, help="images per step (default: %(default)s)")
    parser.add_argument("--crop", type=int, nargs=2, default=(288, 384), help="height and width (default: 288 384)")
    parser.add_argument("--limit", type=int, default=1000, help="evaluate on so many images (default: all)")
    parser.add_argument("--rois", type=int, nargs="+", default=measuring.ROIS, help="so many (default: %(default)s)")
    parser.add_argument("--scales", choices=("road", "coco"), nargs="+", default=["road", "coco"], help="measure at these")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: %(default)s)")
    parser.add_argument("--threads", type=int, help="CPU threads for training (default: PyTorch's choice)")
    parser.add_argument("--workers", type=int, default=1, help="processes that make the batches (default: %(default)s)")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    args = arguments(argv)
    device = choose_device(args.device)
    if args.threads:
        torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    config = budget(args.config, args.steps, args.batch, tuple(args.crop))
    if "train" in args.only:
        train_all(args, config, device)
    every = {"road": road(config.model), "coco": coco()}
    scales = {key: every[key] for key in args.scales}
    if "speed" in args.only and not (args.out / "speed.json").exists():
        write(args.out / "speed.json", measuring.everything(scales, device, tuple(args.rois)))
    if "report" in args.only:
        speed = read(args.out / "speed.json")
        runs = {name: run for name in NAMES if (run := read(args.out / f"{name}.json"))}
        table = report.tables(speed, runs)
        (args.out / "table.md").write_text(table + "\n")
        if speed:
            plot.draw(speed, runs, args.out / "plot.png")
        print(table)


def train_all(args: argparse.Namespace, config, device: torch.device) -> None:
    """Trains what has no checkpoint yet, evaluates what has no figures; all start from the same seed."""
    names = config.model.class_names
    photos, held_out = (CocoDataset(args.data / f"instances_{part}.json", args.data / part, names) for part in ("train", "val"))
    init = None if args.init == "none" else Path(args.init)
    parts = {"train": photos, "val": held_out}
    data = {part: provenance.describe_data(check_images(images, False, ALONE)) for part, images in parts.items()}
    for name in args.heads:
        path = args.out / f"{name}.safetensors"
        torch.manual_seed(config.seed)
        network = make_network(name, road(config.model))
        if not path.exists():
            if init:
                network.start_from(checkpoint.load(init))
            start = provenance.describe_start(device, "fp32", 0, 1)
            print(f"{name}: {start['time']}", flush=True)
            state, run = train(network, config, photos, device, args.workers)
            origin = {"file": init.name, "sha256": sha256(init)} if init else None
            checkpoint.save(path, state.average.module, {**run, "start": start, "init": origin, "data": data})
        if not path.with_suffix(".json").exists():
            about = load(network, path)
            ap = evaluate(network, held_out, args.limit, device)
            print(f"{name}: mask AP {ap['segm']['AP']:.3f}, AP50 {ap['segm']['AP50']:.3f}", flush=True)
            write(path.with_suffix(".json"), {**about, "ap": ap})


def read(path: Path) -> dict[str, Any] | None:
    return json.loads(path.read_text()) if path.exists() else None


def write(path: Path, values: dict[str, Any]) -> None:
    """Writes a JSON file atomically."""
    with atomic_path(path) as partial:
        partial.write_text(json.dumps(values, indent=1) + "\n")


if __name__ == "__main__":
    main()
