# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Annotated images as samples for training."""

import copy
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fcis_ros.data.coco import read_coco
from fcis_ros.data.image_names import ImageFolder
from fcis_ros.data.labelled_images import LabelledImages, image_fault, read_annotated
from fcis_ros.data.segmentation import decode_segmentation
from fcis_ros.findings import Finding, counted
from fcis_ros.structures import Sample


class CocoDataset(Sequence[Sample]):
    """The images of a COCO instance file with their objects; images and masks are decoded on access.

    Objects without a single pixel (polygons thinner than a pixel) are left out.

    Attributes:
        path: path of the annotation file.
        image_dir: folder of the images.
        class_names: names of the classes; label i is ``class_names[i - 1]``.

    Args:
        json_path: path of the annotation file.
        image_dir: folder of the images; files are found as ``image_names.ImageFolder`` says.
        class_names: names of the classes to read, in the order of their labels; objects of other classes are left out. None
            takes all categories, by ascending id.
        limit: maximum number of images, the first of the file; None takes all.

    Raises:
        InputError: the file cannot be used (see ``read_coco``), has none of the classes, or no image can be used.
    """

    def __init__(
        self,
        json_path: str | Path,
        image_dir: str | Path,
        class_names: Sequence[str] | None = None,
        limit: int | None = None,
    ):
        self.path, self.image_dir = Path(json_path), Path(image_dir)
        file = read_coco(json_path)
        self._labelled = LabelledImages(file, file.class_names if class_names is None else class_names)
        self.class_names = self._labelled.class_names
        folder = ImageFolder(self.image_dir, (image.file_name for image in file.images))
        self._images = [(image, folder.path_of(image.file_name)) for image in file.images[:limit]]

    def __len__(self) -> int:
        return len(self._images)

    @property
    def file_names(self) -> list[str]:
        """Names of the images as recorded in the file, in the order of the indices."""
        return [image.file_name for image, _ in self._images]

    @property
    def paths(self) -> list[Path]:
        """Paths of the images, in the order of the indices."""
        return [path for _, path in self._images]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is lost of the annotation file, and remarks; for images that cannot be used see ``fault``."""
        return self._labelled.findings(())

    def without(self, names: Collection[str]) -> "CocoDataset":
        """Returns the data set without the images of these names."""
        smaller = copy.copy(self)
        smaller._images = [(image, path) for image, path in self._images if image.file_name not in names]
        return smaller

    def objects(self, index: int) -> list[tuple[int, Any, bool]]:
        """Returns label, segmentation as recorded and crowd flag of each annotation of an image.

        Raises:
            InputError: an annotation is broken.
            IndexError: no such image.
        """
        entries = self._labelled.objects(self._images[index][0])
        return [(self._labelled.labels[entry.category_id], entry.segmentation, entry.crowd) for entry in entries]

    def image(self, index: int) -> np.ndarray:
        """Returns image ``index`` as [H, W, 3] uint8, RGB.

        Raises:
            InputError: it is missing or unreadable, or its size differs from the file's.
            IndexError: no such image.
        """
        image, path = self._images[index]
        return read_annotated(path, image, self._labelled.file)

    def fault(self, index: int) -> str | None:
        """Returns why an image cannot be trained on; None if it can. The image is decoded.

        An object without a mask is a fault of its image, as its pixels would be taken for background.
        """
        entry, path = self._images[index]
        if reason := self._labelled.unusable.get(entry.id) or image_fault(path, entry, self._labelled.file):
            return reason
        count = self._labelled.without_mask(entry)
        return f"{counted(count, 'object')} without a mask" if count else None

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override] # a slice would decode them all
        """Returns image ``index`` with its objects; crowd regions have ``crowd`` set.

        Raises:
            InputError: the image is missing or unreadable or its size differs from the file's, or a mask is malformed.
            IndexError: no such image.
        """
        objects, image = self.objects(index), self.image(index)
        height, width = image.shape[:2]
        masks = np.zeros((len(objects), height, width), bool)
        for mask, (_, segmentation, _) in zip(masks, objects, strict=True):
            mask[:] = decode_segmentation(segmentation, height, width)
        labels = np.array([label for label, _, _ in objects], np.int64)
        crowd = np.array([crowd for _, _, crowd in objects], bool)
        seen = masks.any(axis=(1, 2))
        return Sample(image, masks[seen], labels[seen], crowd[seen], self._images[index][1].name)
