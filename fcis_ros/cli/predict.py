# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Find instances in image files; write pictures with masks and a COCO result file.

DIR gets one overlay picture per image (NAME.overlay.jpg), results.json (the list that pycocotools' loadRes reads) and
images.json (which id is which file, and the categories). Boxes and masks refer to the images as they are stored, whatever an
EXIF orientation says. Images that cannot be used are left out and named, and the exit status is 2.

--raw writes the intermediate outputs of the network for one image instead, in the released FCIS's orders
(docs/official-weights.md).
"""

import argparse
import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fcis_ros.cli.arguments import add_model, refuse, unit
from fcis_ros.errors import InputError
from fcis_ros.files import atomic_path

if TYPE_CHECKING:
    from fcis_ros.evaluation.image_ground_truth import ImageGroundTruth
    from fcis_ros.evaluation.prediction_folder import ImageFile
    from fcis_ros.findings import Unusable

DRAWN, STORED = 0.5, 0.001  # scores from which instances are drawn, and stored


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("images", nargs="+", metavar="IMAGES", help="image files, or folders of them")
    results = parser.add_mutually_exclusive_group(required=True)
    results.add_argument("--out", metavar="DIR", help="folder for the results, created")
    results.add_argument("--raw", metavar="NPZ", help="file for the intermediate outputs of one image, in fp32")
    parser.add_argument("--annotations", metavar="JSON", help="with --out: COCO file with the image and category ids to use")
    parser.add_argument("--score", type=unit, help=f"with --out: score threshold of drawn instances (default: {DRAWN})")
    parser.add_argument("--min-score", type=unit, help=f"with --out: score floor of stored instances (default: {STORED})")
    add_model(parser)


def run(arguments: argparse.Namespace) -> int:
    if arguments.raw:
        predict_raw(arguments)
        return 0
    return predict_to_folder(arguments)


def predict_raw(arguments: argparse.Namespace) -> None:
    import numpy as np

    from fcis_ros.data.frame_sources import read_image
    from fcis_ros.model.predictor import Predictor
    from fcis_ros.model.raw_outputs import raw_outputs

    refuse(arguments, "needs --out", "annotations", "score", "min_score")
    out = Path(arguments.raw)
    if len(arguments.images) != 1:
        raise InputError(f"--raw takes one image, not {len(arguments.images)}")
    if arguments.precision not in ("auto", "fp32"):
        raise InputError(f"--raw computes in fp32, not {arguments.precision}")
    image = read_image(Path(arguments.images[0]))
    predictor = Predictor.from_checkpoint(arguments.checkpoint, arguments.device, arguments.threads, "fp32")
    outputs = raw_outputs(predictor.model, image, predictor.device)
    try:
        with atomic_path(out) as partial, open(partial, "wb") as file:
            np.savez(file, **outputs)  # type: ignore[arg-type] # its stub takes an array for allow_pickle
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror})") from None
    print(f"{len(outputs['rois'])} ROIs, {len(outputs['scores'])} instances -> {out}")


def predict_to_folder(arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

    from fcis_ros.cli.output import finished_folder, print_findings
    from fcis_ros.data.frame_sources import list_images
    from fcis_ros.data.image_inspection import turned_images
    from fcis_ros.evaluation.image_ground_truth import ImageGroundTruth
    from fcis_ros.evaluation.prediction_folder import ImageFile, predict_images, write_predictions
    from fcis_ros.findings import Finding, Unusable, by_reason, source_of
    from fcis_ros.model.exported import load_predictor

    drawn_score = DRAWN if arguments.score is None else arguments.score
    stored_score = STORED if arguments.min_score is None else arguments.min_score
    given = [Path(image) for image in arguments.images]
    paths: list[Path] = []
    findings: tuple[Finding, ...] = ()
    for entry in given:
        listed, found = list_images(entry) if entry.is_dir() else ([entry], ())
        paths += listed
        findings += found
    require_usable_names(paths)
    predictor = load_predictor(arguments.checkpoint, arguments.device, arguments.threads, arguments.precision)
    names = predictor.config.class_names
    files = [ImageFile(number, path) for number, path in enumerate(paths, 1)]
    unusable: list[Unusable] = []
    categories: Sequence[int | None] = range(1, len(names) + 1)
    if arguments.annotations:
        truth = ImageGroundTruth.load(Path(arguments.annotations), names)
        files, unusable = identified(truth, paths)
        categories, findings = (
            truth.category_ids,
            findings + tuple(each for each in truth.findings_of(truth.images) if not each.lost),
        )
    with finished_folder(Path(arguments.out), proof="results.json") as folder:
        predictions = predict_images(files, predictor, stored_score)
        with contextlib.closing(predictions), tqdm(predictions, total=len(files), unit="image") as bar:
            written = write_predictions(bar, drawn_score, categories, names, folder)
    total = "" if written.images == len(paths) else f" of {len(paths)}"
    print(f"{written.instances} instances in {written.images}{total} images -> {arguments.out}")
    source = source_of(given[0]) if len(given) == 1 else "images"
    findings += turned_images(source, paths)
    return print_findings(findings + by_reason(source, "image", (*unusable, *written.unusable)))


def require_usable_names(paths: list[Path]) -> None:
    """Refuses equal file names, by which results, pictures and annotations are matched, and those too long for an overlay's."""
    seen: dict[str, Path] = {}
    for path in paths:
        if seen.setdefault(path.name, path) is not path:
            raise InputError(f"{path}: another image has the same file name ({seen[path.name]}); use separate runs")
        if len(os.fsencode(f"{path.name}.overlay.jpg")) > 255:  # bytes of a name in usual file systems
            raise InputError(f"{path}: its name is too long for that of its overlay")


def identified(truth: "ImageGroundTruth", paths: Sequence[Path]) -> tuple[list["ImageFile"], list["Unusable"]]:
    """Returns the images with their ids in the annotations, and those that have none there.

    Raises:
        InputError: none of the images is in the annotations.
    """
    from fcis_ros.evaluation.prediction_folder import ImageFile
    from fcis_ros.findings import Unusable

    files: dict[int, ImageFile] = {}
    unknown = []
    for path in paths:
        try:
            image = truth.find(path.as_posix())
        except InputError as error:  # it may be any of several
            unknown.append(Unusable(path.name, str(error)))
            continue
        if image is None:
            unknown.append(Unusable(path.name, "not among the images of the annotations"))
        elif image.id in files:
            unknown.append(Unusable(path.name, f"the same image of the annotations as {files[image.id].path.name}"))
        else:
            files[image.id] = ImageFile(image.id, path)
    if not files:
        raise InputError(
            f"{paths[0]}: {unknown[0].reason}" + (f"; none of the {len(paths)} images can be used" if len(paths) > 1 else "")
        )
    return list(files.values()), unknown
