# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The images of an annotation file as a model sees them: labels of its classes, what can be used, what is left out."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from fcis_ros.data.class_names import match_classes, similar_name
from fcis_ros.data.coco import Annotation, CocoFile, ImageEntry
from fcis_ros.data.frame_sources import read_image
from fcis_ros.errors import InputError
from fcis_ros.findings import Finding, counted, listing


class LabelledImages:
    """Annotated images with the objects of a model's classes.

    Attributes:
        file: content of the annotation file.
        class_names: classes of the model.
        labels: {category id: label 1..C} of the classes that the file has; several ids may have one label.
        category_ids: category id of each class of the model in the annotation file; None where the file has no such class.
        unusable: {image id: reason} of the images whose annotations are broken.

    Args:
        file: content of the annotation file.
        class_names: classes of the model, matched by name (``class_names.match_classes``).

    Raises:
        InputError: none of the file's categories is a class of the model, or no image can be used.
    """

    def __init__(self, file: CocoFile, class_names: Sequence[str]):
        self.file, self.class_names = file, tuple(class_names)
        matched = match_classes(list(file.categories.values()), self.class_names, file.origin)
        self.labels = {id_: label for id_, label in zip(file.categories, matched, strict=True) if label is not None}
        if not self.labels:
            names = ", ".join(file.categories.values()) or "it has none"
            raise InputError(f"{file.origin}: none of its categories ({names[:300]}) is one of {', '.join(class_names)}"[:800])
        self._used = Counter(annotation.category_id for group in file.annotations.values() for annotation in group)
        self.category_ids = [self._category_id(label, name) for label, name in enumerate(self.class_names, start=1)]
        self.unusable = {image.id: reason for image in file.images if (reason := self._fault(image))}
        if file.images and len(self.unusable) == len(file.images):
            (image, *_), (reason, *_) = file.images, self.unusable.values()
            raise InputError(f"{file.origin}: none of its {len(file.images)} images can be used ({image.file_name}: {reason})")

    def objects(self, image: ImageEntry) -> list[Annotation]:
        """Returns the objects and crowd regions of the model's classes in an image.

        Raises:
            InputError: the image is ``unusable``.
        """
        if image.id in self.unusable:
            raise InputError(f"{self.file.origin}: {image.file_name}: {self.unusable[image.id]}")
        return [annotation for annotation in self.file.annotations[image.id] if annotation.category_id in self.labels]

    def without_mask(self, image: ImageEntry) -> int:
        """Returns the number of objects of the model's classes that have no mask in the file."""
        return sum(not entry.segmentation for entry in self.file.annotations[image.id] if entry.category_id in self.labels)

    def findings(self, images: Sequence[ImageEntry]) -> tuple[Finding, ...]:
        """Returns what is lost of the file, and remarks; images that are left out are in ``findings.left_out``.

        Args:
            images: images that are asked for.
        """
        of_file = self.file.findings + self._class_remarks() + self._no_objects()
        return of_file + self._missing_masks(images) + self._hidden(images)

    def _category_id(self, label: int, name: str) -> int | None:
        ids = [category_id for category_id, matched in self.labels.items() if matched == label]
        return max(ids, key=lambda id_: (self._used[id_] > 0, self.file.categories[id_] == name, -id_), default=None)

    def _fault(self, image: ImageEntry) -> str | None:
        if image.fault:
            return image.fault
        for annotation in self.file.annotations[image.id]:
            of_other_class = annotation.category_id in self.file.categories and annotation.category_id not in self.labels
            if annotation.fault and not of_other_class:
                return f"{annotation.title}: {annotation.fault}"
        return None

    def _no_objects(self) -> tuple[Finding, ...]:
        """Returns a remark if there is nothing to learn or to measure; images of background alone may be part of a data set."""
        entries = (entry for group in self.file.annotations.values() for entry in group)
        if any(entry.category_id in self.labels and not entry.crowd for entry in entries):
            return ()
        return (Finding(self.file.name, "no objects of the model's classes, apart from crowd regions", lost=False),)

    def _missing_masks(self, images: Iterable[ImageEntry]) -> tuple[Finding, ...]:
        counts = [count for image in images if (count := self.without_mask(image))]
        text = f"{counted(sum(counts), 'object')} without a mask in {counted(len(counts), 'image')}, which cannot be found"
        return (Finding(self.file.name, text),) if counts else ()

    def _hidden(self, images: Iterable[ImageEntry]) -> tuple[Finding, ...]:
        entries = (entry for image in images for entry in self.file.annotations[image.id])
        count = sum(entry.hidden and not entry.fault and entry.category_id in self.labels for entry in entries)
        text = f"{counted(count, 'object')} outside the image or without area, which cannot be found"
        return (Finding(self.file.name, text, lost=False),) if count else ()

    def _class_remarks(self) -> tuple[Finding, ...]:
        others: Counter[str] = Counter()
        for category_id, count in self._used.items():
            if category_id in self.file.categories and category_id not in self.labels:
                others[self.file.categories[category_id]] += count
        texts = []
        if len(others) == 1:
            ((name, count),) = others.items()
            texts.append(f"{counted(count, 'object')} of class {name}, which the model does not have")
        elif others:
            names = listing(f"{name} ({count})" for name, count in others.most_common())
            texts.append(f"{others.total()} objects of {len(others)} classes that the model does not have: {names}")
        unmatched = [name for category_id, name in self.file.categories.items() if category_id not in self.labels]
        lacking: list[str] = []
        for name, known in zip(self.class_names, self.category_ids, strict=True):
            if known is None:
                similar = similar_name(name, unmatched)
                lacking.append(f"{name} (did you mean its category {similar}?)" if similar else name)
        if lacking:
            classes = "1 class of the model is" if len(lacking) == 1 else f"{len(lacking)} classes of the model are"
            texts.append(f"{classes} not in it: {listing(lacking)}")
        return tuple(Finding(self.file.name, text, lost=False) for text in texts)


def read_annotated(path: Path, image: ImageEntry, file: CocoFile) -> np.ndarray:
    """Reads the file of an annotated image as [H, W, 3] uint8, RGB.

    Raises:
        InputError: it cannot be read, or has another size than in the annotation file.
    """
    pixels = read_image(path)
    height, width = pixels.shape[:2]
    if (height, width) != (image.height, image.width):
        turned = "; annotations must be of the pixels as stored, before a rotation by EXIF"
        hint = turned if (height, width) == (image.width, image.height) else ""
        raise InputError(f"{path}: {width}x{height} pixels, but {file.origin} says {image.width}x{image.height}{hint}")
    return pixels


def image_fault(path: Path, image: ImageEntry, file: CocoFile) -> str | None:
    """Returns why ``read_annotated`` refuses an image; None if it does not."""
    try:
        read_annotated(path, image, file)
    except InputError as error:
        return str(error).removeprefix(f"{path}: ")
    return None
