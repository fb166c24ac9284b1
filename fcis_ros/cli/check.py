# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Say what files are, what is wrong with them, and what each command would do with them.

PATH is any of
  a recording: rosbag2 folder, .mcap or .db3 file, compressed or not, or a folder of such folders
  a folder of images, images, or a video
  annotations: COCO instance JSON
  a checkpoint (.safetensors), an exported package (.pt2), a training or model configuration (.json)
  a folder of results: of an evaluation, its shards, or a training run
Annotations are compared with the images and the classes of a model where these are known: --images, or the one folder of
images among PATHs, and the checkpoint or configuration among them:
    fcis check annotations.json images/ model.safetensors
Nothing is written. The exit status is 2 if something of what the files hold cannot be used; everything of the kind is listed.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from fcis_ros.cli.needing import needing
from fcis_ros.errors import InputError
from fcis_ros.findings import USED, Finding, Inspection, exit_status, listing, source_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", metavar="PATH", help="files and folders")
    parser.add_argument("--images", metavar="DIR", help="folder of the images of the annotations among PATHs")
    parser.add_argument("--full", action="store_true", help="read recordings whole and compare every checksum")
    parser.add_argument("--json", action="store_true", help="print JSON: every inspection with facts, uses, findings, status")


def run(arguments: argparse.Namespace) -> int:
    from fcis_ros.cli.inspection_table import table

    kinds = kinds_of(arguments.paths)
    if arguments.images and not Path(arguments.images).is_dir():
        raise InputError(f"--images {arguments.images}: no such folder")
    inspections = inspect(kinds, arguments.images, arguments.full)
    statuses = [exit_status(inspection.findings) for inspection in inspections]
    status = max(statuses)
    if arguments.json:
        entries = [{**asdict(inspection), "status": of_one} for inspection, of_one in zip(inspections, statuses, strict=True)]
        print(json.dumps({"inspections": entries, "status": status}, indent=2))
    else:
        print(table(inspections), flush=True)
    if status != USED:
        lost = listing(each.path for each, of_one in zip(inspections, statuses, strict=True) if of_one != USED)
        print(f"fcis: cannot be used, or not as a whole: {lost}", file=sys.stderr)
    return status


def kinds_of(paths: Sequence[str]) -> list[tuple[str, str | InputError]]:
    """Returns each path with its kind, or with the reason why it has none; a folder of recordings as the folders in it."""
    from fcis_ros.cli.input_kinds import RECORDINGS, folders_in

    found: list[tuple[str, str | InputError]] = []
    for path in paths:
        kind = _kind(path)
        if kind != RECORDINGS:
            found.append((path, kind))
            continue
        for folder in map(str, folders_in(Path(path))):  # also those that are none, such as the empty one of a killed recorder
            kind = _kind(folder)
            deeper = InputError(f"{folder}: a folder of recordings inside another one; check it by itself")
            found.append((folder, deeper if kind == RECORDINGS else kind))
    return found


def _kind(path: str) -> str | InputError:
    from fcis_ros.cli.input_kinds import kind_of

    try:
        return kind_of(path)
    except InputError as error:
        return error


def inspect(kinds: Sequence[tuple[str, str | InputError]], images: str | None, full: bool) -> list[Inspection]:
    """Returns an inspection for each path, in order, and one for all image files together.

    Args:
        kinds: paths with their kinds, from ``kinds_of``.
        images: folder of the images of annotations; None: the one folder of images among the paths, if there is one.
        full: whether recordings are read whole.
    """
    from fcis_ros.cli.input_kinds import ANNOTATIONS, IMAGE, IMAGES

    folders = [path for path, kind in kinds if kind == IMAGES]
    folder = images or (folders[0] if len(folders) == 1 else None)
    files = [Path(path) for path, kind in kinds if kind == IMAGE]
    inspections: dict[int, Inspection] = {}
    order = sorted(range(len(kinds)), key=lambda index: kinds[index][1] == ANNOTATIONS)  # last: models tell their classes
    for index in order:
        path, kind = kinds[index]
        if isinstance(kind, InputError):
            inspections[index] = refused(path, "unknown", kind)
        elif kind != IMAGE or Path(path) == files[0]:  # the others are inspected with the first
            classes = class_names(inspections.values())
            try:
                inspections[index] = inspect_one(path, kind, files, folder, classes, full)
            except InputError as error:
                inspections[index] = refused(path, kind, error)
    return [inspections[index] for index in sorted(inspections)]


def class_names(inspections: Iterable[Inspection]) -> tuple[str, ...] | None:
    """Returns the classes of the first model among inspected inputs; None without one."""
    from fcis_ros.cli.input_kinds import CHECKPOINT, MODEL_CONFIG, PACKAGE, TRAINING_CONFIG

    models = (each for each in inspections if each.kind in (CHECKPOINT, PACKAGE, TRAINING_CONFIG, MODEL_CONFIG))
    return next((tuple(model.facts["classes"]) for model in models if "classes" in model.facts), None)


def refused(path: str, kind: str, error: InputError) -> Inspection:
    """Returns the inspection of an input of which nothing can be used."""
    text = str(error).removeprefix(f"{path}: ")
    return Inspection(path, kind, findings=(Finding(source_of(Path(path)), text),))


def inspect_one(
    path: str, kind: str, files: Sequence[Path], images: str | None, classes: Sequence[str] | None, full: bool
) -> Inspection:
    """Returns the inspection of a path.

    Args:
        path: path, or URL of a recording.
        kind: kind of ``input_kinds``.
        files: image files to inspect together.
        images: folder of the images of annotations.
        classes: classes of the model that annotations are compared with; None for those of the annotations.
        full: whether a recording is read whole.

    Raises:
        InputError: nothing of the input can be used.
    """
    from fcis_ros.cli import input_kinds as kinds

    if kind == kinds.RECORDING:
        with needing("pip install rosbags"):
            from fcis_ros.bags.inspection import inspect_recording
        return inspect_recording(path, full)
    if kind in (kinds.IMAGES, kinds.IMAGE):
        from fcis_ros.data.image_inspection import inspect_folder, inspect_images

        if kind == kinds.IMAGES:
            return inspect_folder(Path(path))
        return inspect_images(files, path if len(files) == 1 else f"{len(files)} image files")
    if kind == kinds.VIDEO:
        return inspect_video(path)
    if kind == kinds.ANNOTATIONS:
        from fcis_ros.data.annotation_inspection import inspect_annotations

        return inspect_annotations(Path(path), Path(images) if images else None, classes)
    from fcis_ros.cli import model_inspection, run_inspection

    inspectors = {
        kinds.CHECKPOINT: model_inspection.inspect_checkpoint,
        kinds.PACKAGE: model_inspection.inspect_package,
        kinds.TRAINING_CONFIG: model_inspection.inspect_training_config,
        kinds.MODEL_CONFIG: model_inspection.inspect_model_config,
        kinds.EVALUATION: run_inspection.inspect_evaluation,
        kinds.SHARDS: run_inspection.inspect_shards,
        kinds.TRAINING_RUN: run_inspection.inspect_training_run,
    }
    return inspectors[kind](Path(path))


def inspect_video(path: str) -> Inspection:
    """Opens a video.

    Raises:
        InputError: it cannot be decoded.
    """
    from fcis_ros.data.frame_sources import open_source

    source = open_source(path)
    facts = {"frames": source.count, "frames per second": source.rate}
    uses = {"demo": "plays it to the node", "record": "writes its frames as a recording"}
    return Inspection(path, "video", facts, uses)
