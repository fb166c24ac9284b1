# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Ground truth of named images: COCO annotations found by file name."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from fcis_ros.data.coco import Annotation, CocoFile, ImageEntry, read_coco
from fcis_ros.data.image_names import Parts, variants
from fcis_ros.data.labelled_images import LabelledImages, read_annotated
from fcis_ros.data.segmentation import encode_segmentation
from fcis_ros.errors import InputError
from fcis_ros.findings import Finding


class ImageGroundTruth:
    """Ground-truth objects of named images, for the classes of one model.

    Attributes:
        images: annotated images, in the order of the file.
        category_ids: category id of each class of the model in the annotation file, None where the file has no such class.
        unusable: {image id: reason} of the images whose annotations are broken.

    Args:
        file: content of the annotation file.
        class_names: classes of the model, matched by name.

    Raises:
        InputError: none of the file's categories is a class of the model, or no image can be used.
    """

    def __init__(self, file: CocoFile, class_names: tuple[str, ...]):
        self._file, self._labelled = file, LabelledImages(file, class_names)
        self.images = file.images
        self.category_ids = self._labelled.category_ids
        self.unusable: Mapping[int, str] = self._labelled.unusable
        self._paths: dict[Parts, list[ImageEntry]] = defaultdict(list)
        self._names: dict[str, list[ImageEntry]] = defaultdict(list)
        self._stems: dict[str, list[ImageEntry]] = defaultdict(list)
        for image in file.images:
            paths = variants(image.file_name)
            for path in paths:
                self._paths[path].append(image)
            for name in {path[-1] for path in paths}:
                self._names[name].append(image)
            for stem in {PurePosixPath(path[-1]).stem for path in paths}:
                self._stems[stem].append(image)

    @classmethod
    def load(cls, path: Path, class_names: tuple[str, ...]) -> "ImageGroundTruth":
        """Reads a COCO instance file; see ``read_coco``."""
        return cls(read_coco(path), class_names)

    def findings_of(self, images: Sequence[ImageEntry]) -> tuple[Finding, ...]:
        """Returns what is lost of the annotation file for some images, and remarks, without those that are ``unusable``."""
        return self._labelled.findings(images)

    def find(self, frame_name: str) -> ImageEntry | None:
        """Returns the annotated image of a frame, None if the frame is not annotated.

        Args:
            frame_name: file name or path. Paths of the annotation file that it ends with come first, the longest before all;
                next is an image with the same file name in any folder, then one whose file name has another suffix or none.

        Raises:
            InputError: several images have the name.
        """
        matches = self.candidates(frame_name)
        if len(matches) > 1:
            examples = ", ".join(image.file_name for image in matches[:2])
            raise InputError(f"{self._file.origin}: frame {frame_name} may be any of {len(matches)} images ({examples} ...)")
        return matches[0] if matches else None

    def candidates(self, frame_name: str) -> Sequence[ImageEntry]:
        """Returns the images that a frame may be, see ``find``."""
        for parts in variants(frame_name):
            ends = [self._paths[end] for start in range(len(parts)) if (end := parts[start:]) in self._paths]
            name = PurePosixPath(parts[-1])
            # A bare name such as 000012, or one with another suffix; "a.b" may be a stem itself.
            by_name = self._names.get(name.name) or self._stems.get(name.name) or self._stems.get(name.stem) or []
            if matches := ends[0] if ends else by_name:
                return matches
        return []

    def read(self, image: ImageEntry, path: Path) -> np.ndarray:
        """Reads the file of an image, see ``read_annotated``."""
        return read_annotated(path, image, self._file)

    def require_match(self, frame_names: Iterable[str]) -> None:
        """Raises InputError if no frame is annotated."""
        names = list(frame_names)
        if not any(self.candidates(name) for name in names):
            example = next((image.file_name for image in self.images), "none")
            raise InputError(
                f"{self._file.origin}: none of the {len(self.images)} file names in it (such as {example}) "
                f"is a frame of the input (such as {names[0] if names else 'none'})"
            )

    def objects(self, image: ImageEntry) -> list[dict[str, Any]]:
        """Returns the objects of an image as COCO annotations, with labels as category ids and masks as compressed run lengths.

        Raises:
            InputError: the image is ``unusable``.
        """
        return [self._entry(annotation, image) for annotation in self._labelled.objects(image)]

    def fault(self, image: ImageEntry, height: int, width: int) -> str | None:
        """Returns why an image is no ground truth of a frame of this size; None if it is."""
        if (height, width) != (image.height, image.width):
            return f"annotated as {image.width}x{image.height} pixels, but the frame has {width}x{height}"
        return self.unusable.get(image.id)

    def _entry(self, annotation: Annotation, image: ImageEntry) -> dict[str, Any]:
        """Returns an annotation for pycocotools; missing fields are computed from the mask."""
        segmentation = encode_segmentation(annotation.segmentation, image.height, image.width)
        return {
            "image_id": image.id,
            "category_id": self._labelled.labels[annotation.category_id],
            "segmentation": segmentation,
            "bbox": list(annotation.bbox or coco_mask.toBbox(segmentation).tolist()),
            "area": float(coco_mask.area(segmentation)) if annotation.area is None else annotation.area,
            "iscrowd": int(annotation.crowd),
            **({} if annotation.track_id is None else {"track_id": annotation.track_id}),
        }
