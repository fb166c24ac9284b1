# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Measure mask and box AP of a model on annotated images (COCO instance JSON)."""

import argparse
import time
from pathlib import Path

from fcis_ros.cli.arguments import add_model, count
from fcis_ros.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--annotations", required=True, metavar="JSON", help="COCO instance file; classes are matched by name")
    parser.add_argument("--images", required=True, metavar="DIR", help="folder of the images it names")
    parser.add_argument("--limit", type=count, help="use only the first so many images")
    parser.add_argument("--out", metavar="FILE", help="also write the figures there, as JSON")
    add_model(parser)


def run(arguments: argparse.Namespace) -> None:
    from tqdm import tqdm

    from fcis_ros.data.frames import read_image
    from fcis_ros.evaluation.report import write_json
    from fcis_ros.evaluation.truth import Truth
    from fcis_ros.model.predictor import Predictor
    from fcis_ros.versions import versions

    predictor = Predictor.from_checkpoint(arguments.checkpoint, arguments.device, arguments.threads, arguments.precision)
    truth = Truth.load(Path(arguments.annotations), predictor.config.class_names)
    folder = Path(arguments.images)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    images = truth.images[: arguments.limit]
    if not images:
        raise InputError(f"annotations {arguments.annotations}: they name no images")
    seconds = []

    def predictions():
        for entry in tqdm(images, unit="image"):
            image = read_image(truth.path_of(entry, folder))
            start = time.perf_counter()
            instances = predictor(image)
            seconds.append(time.perf_counter() - start)
            yield entry.file_name, instances

    ap = truth.evaluate(predictions())
    result = {
        "images": len(images),
        "ap": ap,
        "seconds_per_frame": round(sum(seconds) / len(seconds), 4),
        "model": predictor.name,
        "device": str(predictor.device),
        "precision": predictor.precision,
        "versions": versions(),
    }
    print(_table(result))
    if arguments.out:
        write_json(result, Path(arguments.out))
        print(f"-> {arguments.out}")


def _table(result: dict) -> str:
    from fcis_ros.evaluation.report import number

    ap = result["ap"]
    lines = [f"{result['model']} on {result['device']}, {result['images']} images, {result['seconds_per_frame']:.3f} s a frame"]
    lines += ["", f"{'':<14}{'AP':>8}{'AP50':>8}{'AP75':>8}"]
    for what, kind in (("masks", "segm"), ("boxes", "bbox")):
        lines.append(f"{what:<14}" + "".join(f"{number(ap[kind][key]):>8}" for key in ("AP", "AP50", "AP75")))
    lines += ["", f"{'class':<14}{'':>8}{'AP50':>8}"]
    lines += [f"{name:<14}{'':>8}{number(value):>8}" for name, value in ap["per_class"].items()]
    lines += ["", *(f"mAPr at {iou:<6}{number(value):>16}" for iou, value in ap["mAPr"].items())]
    return "\n".join(lines)
