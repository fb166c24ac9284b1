# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""What a path is: recording, pictures, annotations and so on. Folders by what they hold, files by suffix; JSON by its keys."""

import json
from pathlib import Path

from fcis_ros.config import MAX_NESTING
from fcis_ros.data.frame_sources import PICTURE_SUFFIXES, is_bag
from fcis_ros.errors import InputError
from fcis_ros.findings import listing

RECORDING, IMAGES, IMAGE, VIDEO = "recording", "folder of images", "image", "video"
ANNOTATIONS, CHECKPOINT, PACKAGE = "annotations", "checkpoint", "exported package"
TRAINING_CONFIG, MODEL_CONFIG = "training configuration", "model configuration"
EVALUATION, SHARDS, TRAINING_RUN = "evaluation", "shards of an evaluation", "training run"
RECORDINGS = "folder of recordings"
SUFFIXES = {".safetensors": CHECKPOINT, ".pt2": PACKAGE, **dict.fromkeys((".mp4", ".avi", ".mkv", ".mov", ".webm"), VIDEO)}
CONFIGURATION_BYTES = 1 << 20  # of the longest configuration; longer JSON files are annotations
BOM = b"\xef\xbb\xbf"


def kind_of(path: str) -> str:
    """Returns the kind of input that a path or URL is.

    Args:
        path: path, or URL of a recording.

    Raises:
        InputError: there is nothing at the path, or nothing that a command reads, or it cannot be read.
    """
    if "://" in path:
        return RECORDING
    try:
        return _kind_of_path(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None


def _kind_of_path(path: str) -> str:
    file = Path(path)
    if file.is_dir():
        return _kind_of_folder(file)
    if not file.is_file():
        raise InputError(f"{path}: no such file or folder")
    suffix = file.suffix.lower()
    if is_bag(file) or suffix == ".bag":  # of ROS 1, which the reader refuses with advice
        return RECORDING
    if is_image(file):
        return IMAGE
    if suffix == ".json":
        return _kind_of_json(file)
    if suffix not in SUFFIXES:
        raise InputError(f"{path}: of no kind that a command reads")
    return SUFFIXES[suffix]


def is_image(file: Path) -> bool:
    """Returns whether a name is that of an image, be it of a format that cannot be read."""
    return file.suffix.lower() in PICTURE_SUFFIXES


def folders_in(folder: Path) -> list[Path]:
    """Returns the folders in a folder, by name, without hidden ones."""
    return [path for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith(".")]


def _kind_of_folder(folder: Path) -> str:
    names = {path.name for path in folder.iterdir()}
    if "run.json" in names:
        return EVALUATION
    if any(folder.glob("part-*-of-*/run.json")):
        return SHARDS
    if "state.safetensors" in names or {"model.safetensors", "log.jsonl"} <= names:
        return TRAINING_RUN
    if is_bag(folder):
        return RECORDING
    if any(is_image(folder / name) for name in names):
        return IMAGES
    if any(map(is_bag, folders_in(folder))):
        return RECORDINGS
    inside = listing(sorted(name for name in names if not name.startswith("."))) or "nothing"
    raise InputError(f"{folder}: neither a recording nor a folder of images, recordings or results; it holds {inside}")


def _kind_of_json(file: Path) -> str:
    with file.open("rb") as opened:
        head = opened.read(CONFIGURATION_BYTES + 1).removeprefix(BOM)
    if head.lstrip().startswith(b"["):
        raise InputError(f"{file}: a list, such as results of `fcis predict`; no command reads it")
    if len(head) > CONFIGURATION_BYTES:
        return ANNOTATIONS
    try:
        content = json.loads(head)
    except ValueError as error:
        raise InputError(f"{file}: not JSON ({error})") from None
    except RecursionError:
        raise InputError(f"{file}: JSON that is nested more than {MAX_NESTING} deep") from None
    keys = content.keys() if isinstance(content, dict) else set()
    if keys & {"annotations", "images"}:
        return ANNOTATIONS
    if keys >= {"model", "steps"}:
        return TRAINING_CONFIG
    if "class_names" in keys:
        return MODEL_CONFIG
    if keys >= {"what", "state"} or "frames_in" in keys:
        raise InputError(f"{file}: part of an evaluation; check its folder, {file.parent}")
    holds = listing(map(repr, keys)) if isinstance(content, dict) else type(content).__name__
    raise InputError(f"{file}: neither annotations (images, annotations) nor a configuration (model, steps); it has {holds}")
