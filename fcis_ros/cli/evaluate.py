# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Measure mask and box AP of a model on annotated images (COCO instance JSON).

Prints COCO's table, by size and by class, and mAP^r of the paper. DIR gets report.json and report.html, which shows the best
and the worst images. Under torchrun the images are shared out, and the figures are the same to the last digit.
"""

import argparse
import time
from pathlib import Path

from fcis_ros.cli.arguments import add_model, count, refuse, unit
from fcis_ros.errors import InputError

SHOWN = 0.5  # score


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--annotations", required=True, metavar="JSON", help="COCO instance file; classes are matched by name")
    parser.add_argument("--images", required=True, metavar="DIR", help="folder of the images it names")
    parser.add_argument("--limit", type=count, help="use only the first so many images")
    parser.add_argument("--out", metavar="DIR", help="also write a report there")
    parser.add_argument("--score", type=unit, help=f"with --out: show instances from this score (default: {SHOWN})")
    add_model(parser)


def run(arguments: argparse.Namespace) -> None:
    from tqdm import tqdm

    from fcis_ros.cli.output import finished_folder
    from fcis_ros.data.frame_sources import read_image
    from fcis_ros.evaluation.ground_truth import Truth
    from fcis_ros.evaluation.image_set import EvaluatedImage, choose, page, summarise, tables
    from fcis_ros.files import file_digest
    from fcis_ros.metrics.coco_results import to_results
    from fcis_ros.metrics.matching import match_image
    from fcis_ros.model.device import choose_device
    from fcis_ros.model.exported import load_predictor
    from fcis_ros.results.page import write_page
    from fcis_ros.results.picture import picture
    from fcis_ros.results.report_parts import write_json
    from fcis_ros.training.distributed import join, local_device

    if not arguments.out:
        refuse(arguments, "needs --out", "score")
    score = SHOWN if arguments.score is None else arguments.score
    device = choose_device(local_device(arguments.device))
    predictor = load_predictor(arguments.checkpoint, str(device), arguments.threads, arguments.precision)
    names = predictor.config.class_names
    truth = Truth.load(Path(arguments.annotations), names)
    folder = Path(arguments.images)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    images = truth.images[: arguments.limit]
    if not images:
        raise InputError(f"annotations {arguments.annotations}: they name no images")

    def look_at(entry):
        image = read_image(truth.path_of(entry, folder))
        truth.require_size(entry, *image.shape[:2])
        start = time.perf_counter()
        return image, predictor(image), 1000 * (time.perf_counter() - start)

    processes = join(device)
    try:
        own = []
        for entry in tqdm(processes.share(images), unit="image", disable=not processes.first):
            _, found, milliseconds = look_at(entry)
            matches = match_image(truth.objects(entry), to_results(found, entry.id))
            own.append(EvaluatedImage(entry.id, entry.file_name, matches, milliseconds))
        seen = processes.merge(own)
    finally:
        processes.leave()
    if seen is None:
        return
    about = {"device": str(predictor.device), "precision": predictor.precision, "model": predictor.name}
    about["input"] = f"{len(images)} images of {folder}"
    about["truth"] = {"file": Path(arguments.annotations).name, "sha256": file_digest(Path(arguments.annotations))}
    report = summarise(seen, names, score, about)
    if arguments.out:
        by_id = {entry.id: entry for entry in images}
        with finished_folder(Path(arguments.out), "report.json") as partial:
            shown = []
            for group, one in choose(seen, score):
                image, found, _ = look_at(by_id[one.id])
                objects = zip(truth.objects(by_id[one.id]), one.matches.found, strict=True)
                missed = [own for own, best in objects if not own["iscrowd"] and best < score]
                shown.append((group, one, picture(image, found.select(found.scores >= score), missed)))
            write_json(report, partial / "report.json")
            write_page(report, page(report, shown), partial / "report.html")
    print(tables(report))
    if arguments.out:
        print(f"-> {Path(arguments.out) / 'report.html'}")
