# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""What an annotation file holds, for ``fcis check``: the findings of the reader that all commands use."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fcis_ros.data.coco import CocoFile, read_coco
from fcis_ros.data.decoding_threads import in_threads
from fcis_ros.data.image_names import ImageFolder
from fcis_ros.data.labelled_images import LabelledImages, image_fault
from fcis_ros.findings import Inspection, counted, left_out, source_of


def inspect_annotations(path: Path, images: Path | None, class_names: Sequence[str] | None) -> Inspection:
    """Inspects a COCO instance file.

    Args:
        path: path of the file.
        images: folder of its images, which are then decoded; None: they are not looked at.
        class_names: classes of a model; None: those of the file.

    Raises:
        InputError: nothing of the file can be used.
    """
    file = read_coco(path)
    labelled = LabelledImages(file, file.class_names if class_names is None else class_names)
    unusable = {image.file_name: labelled.unusable[image.id] for image in file.images if image.id in labelled.unusable}
    findings = labelled.findings(file.images) + left_out(path.name, unusable.items(), len(file.images))
    missing: dict[str, str] = {}
    if images is not None:
        missing = _unreadable(file, images)
        findings += left_out(source_of(images), missing.items(), len(file.images))
    usable = sum(image.file_name not in unusable and image.file_name not in missing for image in file.images)
    trainable = sum(
        image.file_name not in unusable and image.file_name not in missing and not labelled.without_mask(image)
        for image in file.images
    )
    damaged = any(finding.lost for finding in findings)
    uses = _uses(labelled, usable, trainable, damaged)
    if class_names is None and usable:
        uses["evaluate"] += ", with a model of these classes"
    return Inspection(str(path), "annotations", _facts(labelled), uses, findings)


def _unreadable(file: CocoFile, folder: Path) -> dict[str, str]:
    """Returns {file name: reason} of the images that are missing, cannot be decoded, or have another size than in the file."""
    files = ImageFolder(folder, (image.file_name for image in file.images))

    faults = in_threads(lambda image: image_fault(files.path_of(image.file_name), image, file), file.images, "check")
    return {image.file_name: reason for image, reason in zip(file.images, faults, strict=True) if reason}


def _facts(labelled: LabelledImages) -> dict[str, Any]:
    file = labelled.file
    annotations = [annotation for group in file.annotations.values() for annotation in group]
    names = Counter(file.categories.get(annotation.category_id, "not listed") for annotation in annotations)
    sizes = Counter(f"{image.width}x{image.height}" for image in file.images)
    return {
        "images": len(file.images),
        "sizes": dict(sizes.most_common(20)),
        "objects": sum(not annotation.crowd for annotation in annotations),
        "crowd regions": sum(annotation.crowd for annotation in annotations),
        "classes": {name: names[name] for name in dict.fromkeys([*file.categories.values(), *names])},
        "polygons": sum(
            isinstance(annotation.segmentation, list) and annotation.segmentation != [] for annotation in annotations
        ),
        "run lengths": sum(isinstance(annotation.segmentation, dict) for annotation in annotations),
        "objects without mask": sum(not annotation.segmentation for annotation in annotations),
        "broken annotations": sum(annotation.fault is not None for annotation in annotations),
        "images without objects": sum(not group for group in file.annotations.values()),
        "objects with track id": sum(annotation.track_id is not None for annotation in annotations),
        "images with stamp_ns": sum(image.stamp_ns is not None for image in file.images),
    }


def _uses(labelled: LabelledImages, usable: int, trainable: int, damaged: bool) -> dict[str, str]:
    """Returns what commands would do; ``train`` also leaves out images that have objects without a mask."""
    file, images = labelled.file, counted(len(labelled.file.images), "image")
    if trainable == 0:
        train = "refuses it: no image can be used"
    elif damaged:
        train = f"refuses it; with --skip-damaged takes {trainable} of {images}"
    else:
        train = f"takes {trainable} of {images}"
    stamped = sum(image.stamp_ns is not None for image in file.images)
    if 0 < stamped < len(file.images):
        matched = "refuses it: some images have a stamp_ns, others not"
    else:
        matched = "matches frames by stamp_ns" if stamped else "matches frames by name, or by order where they have none"
    return {
        "train": train,
        "evaluate": f"measures {usable} of {images}" if usable else "refuses it: no image can be used",
        "evaluate-bag": matched,
        "record": "matches frames by name",
    }
