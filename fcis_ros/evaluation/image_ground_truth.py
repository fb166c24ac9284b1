# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Ground truth of named images: COCO annotations found by file name."""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from pycocotools import mask as coco_mask

from fcis_ros.data.coco import Annotation, CocoFile, ImageEntry, read_coco
from fcis_ros.data.segmentation import encode_segmentation
from fcis_ros.errors import InputError


class ImageGroundTruth:
    """Ground-truth objects of named images, for the classes of one model.

    Attributes:
        images: annotated images, in the order of the file.
        category_ids: category id of each class of the model in the annotation file, None where the file has no such class.

    Args:
        file: content of the annotation file.
        class_names: classes of the model, matched by name.

    Raises:
        InputError: none of the file's categories is a class of the model.
    """

    def __init__(self, file: CocoFile, class_names: tuple[str, ...]):
        self._file, self._class_names = file, class_names
        self._labels = file.labels(class_names)
        self.images = file.images
        self.category_ids = [file.category_ids.get(name) for name in class_names]
        self._paths = {str(PurePosixPath(image.file_name)): image for image in file.images}
        self._names: dict[str, list[ImageEntry]] = defaultdict(list)
        self._stems: dict[str, list[ImageEntry]] = defaultdict(list)
        for image in file.images:
            self._names[PurePosixPath(image.file_name).name].append(image)
            self._stems[PurePosixPath(image.file_name).stem].append(image)

    @classmethod
    def load(cls, path: Path, class_names: tuple[str, ...]) -> "ImageGroundTruth":
        """Reads a COCO instance file; see ``read_coco``."""
        return cls(read_coco(path), class_names)

    def find(self, frame_name: str) -> ImageEntry | None:
        """Returns the annotated image of a frame, None if the frame is not annotated.

        Args:
            frame_name: file name or path. Paths of the annotation file that it ends with come first, the longest before all;
                next is an image with the same file name in any folder, then one whose file name has another suffix or none.

        Raises:
            InputError: several images have the name.
        """
        parts = PurePosixPath(frame_name).parts
        for start in range(len(parts)):
            if image := self._paths.get(str(PurePosixPath(*parts[start:]))):
                return image
        name = PurePosixPath(frame_name)
        # A bare name such as 000012, or one with another suffix; "a.b" may be a stem itself.
        matches = self._names.get(name.name) or self._stems.get(name.name) or self._stems.get(name.stem) or []
        if len(matches) > 1:
            examples = ", ".join(image.file_name for image in matches[:2])
            raise InputError(f"{self._file.origin}: frame {frame_name} may be any of {len(matches)} images ({examples} ...)")
        return matches[0] if matches else None

    def path_of(self, image: ImageEntry, folder: Path) -> Path:
        """Returns the path of an image: as in the file, relative to ``folder``; else directly in it, if its name is unique."""
        path = folder / image.file_name
        name = PurePosixPath(image.file_name).name
        flat = folder / name
        return flat if len(self._names[name]) == 1 and not path.is_file() and flat.is_file() else path

    def require_match(self, frame_names: Iterable[str]) -> None:
        """Raises InputError if no frame is annotated."""
        names = list(frame_names)
        if not any(self.find(name) for name in names):
            example = next((image.file_name for image in self.images), "none")
            raise InputError(
                f"{self._file.origin}: none of the {len(self.images)} file names in it (such as {example}) "
                f"is a frame of the input (such as {names[0] if names else 'none'})"
            )

    def objects(self, image: ImageEntry) -> list[dict[str, Any]]:
        """Returns the objects of an image as COCO annotations, with labels as category ids and masks as compressed run lengths.

        Raises:
            InputError: a mask is malformed.
        """
        return [
            self._entry(annotation, image)
            for annotation in self._file.annotations[image.id]
            if annotation.category_id in self._labels
        ]

    def require_size(self, image: ImageEntry, height: int, width: int) -> None:
        """Raises InputError if a frame of this size is not the image."""
        if (height, width) != (image.height, image.width):
            raise InputError(
                f"{self._file.origin}: {image.file_name} is {image.width}x{image.height} in it, the frame {width}x{height}"
            )

    def _entry(self, annotation: Annotation, image: ImageEntry) -> dict[str, Any]:
        """Returns an annotation for pycocotools; missing fields are computed from the mask."""
        try:
            segmentation = encode_segmentation(annotation.segmentation, image.height, image.width)
        except InputError as error:
            raise InputError(f"{annotation.title}: {error}") from None
        return {
            "image_id": image.id,
            "category_id": self._labels[annotation.category_id],
            "segmentation": segmentation,
            "bbox": list(annotation.bbox or coco_mask.toBbox(segmentation).tolist()),
            "area": float(coco_mask.area(segmentation)) if annotation.area is None else annotation.area,
            "iscrowd": int(annotation.crowd),
            **({} if annotation.track_id is None else {"track_id": annotation.track_id}),
        }
