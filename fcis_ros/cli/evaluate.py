# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Measure mask and box AP of a model on annotated images (COCO instance JSON).

Prints COCO's table, by size and by class, and mAP^r of the paper. DIR gets report.json and report.html, which shows the best
and the worst images. Images that cannot be used (file missing or damaged, another size than in JSON, broken annotations) are
left out and named, and the exit status is 2. Under torchrun the processes share the images, and the figures are the same to the
last digit.
"""

import argparse
from pathlib import Path
from typing import Any

from fcis_ros.cli.arguments import add_model, count, refuse, unit
from fcis_ros.errors import InputError

SHOWN = 0.5  # score


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--annotations", required=True, metavar="JSON", help="COCO instance file; classes are matched by name")
    parser.add_argument("--images", required=True, metavar="DIR", help="folder of the images in it")
    parser.add_argument("--limit", type=count, help="maximum number of images")
    parser.add_argument("--out", metavar="DIR", help="folder for a report")
    parser.add_argument("--score", type=unit, help=f"with --out: score threshold of shown instances (default: {SHOWN})")
    add_model(parser)


def run(arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

    from fcis_ros.cli.output import finished_folder, print_findings
    from fcis_ros.data.image_inspection import turned_images
    from fcis_ros.evaluation.annotated_images import AnnotatedImages, evaluate_images, shown_images
    from fcis_ros.evaluation.image_ground_truth import ImageGroundTruth
    from fcis_ros.files import sha256
    from fcis_ros.findings import Unusable, left_out, source_of
    from fcis_ros.model.device import choose_device
    from fcis_ros.model.exported import load_predictor
    from fcis_ros.results.image_report import report_content, tables, write_image_report
    from fcis_ros.training.distributed import join, local_device

    if not arguments.out:
        refuse(arguments, "needs --out", "score")
    score = SHOWN if arguments.score is None else arguments.score
    device = choose_device(local_device(arguments.device))
    predictor = load_predictor(arguments.checkpoint, str(device), arguments.threads, arguments.precision)
    annotations, folder = Path(arguments.annotations), Path(arguments.images)
    ground_truth = ImageGroundTruth.load(annotations, predictor.config.class_names)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    images = AnnotatedImages(ground_truth, ground_truth.images[: arguments.limit], folder)
    if not images.entries:
        raise InputError(f"annotations {annotations}: no images in them")
    processes = join(device)
    try:
        entries = processes.share(images.entries)
        evaluations = evaluate_images(images, entries, predictor)
        results = processes.merge(list(tqdm(evaluations, total=len(entries), unit="image", disable=not processes.first)))
    finally:
        processes.leave()
    if results is None:
        return 0
    unusable = [result for result in results if isinstance(result, Unusable)]
    evaluated = [result for result in results if not isinstance(result, Unusable)]
    source = source_of(folder)
    lost = left_out(source, unusable, len(results))
    if not evaluated:
        raise InputError(f"{folder}: {lost[0].text}")
    turned = turned_images(source, map(images.path_of, images.entries))
    findings = (*ground_truth.findings_of(images.entries), *turned, *lost)
    about: dict[str, Any] = {"device": str(predictor.device), "precision": predictor.precision, "model": predictor.name}
    about["input"] = f"{len(images.entries)} images of {source}"
    about["truth"] = {"file": annotations.name, "sha256": sha256(annotations)}
    report = report_content(evaluated, predictor.config.class_names, score, about, findings)
    if arguments.out:
        if (Path(arguments.out) / "run.json").exists():
            raise InputError(f"{arguments.out}: holds an evaluation of recordings; choose another folder")
        with finished_folder(Path(arguments.out), "report.json") as partial:
            write_image_report(report, list(shown_images(images, evaluated, predictor, score)), partial)
    print(tables(report))
    if arguments.out:
        print(f"-> {Path(arguments.out) / 'report.html'}")
    return print_findings(findings)
