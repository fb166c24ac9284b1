# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Ground truth for frames that come from elsewhere: COCO annotations found by file name."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from pycocotools import mask as coco_mask

from fcis_ros.data.coco import Annotation, CocoFile, ImageEntry, read_coco
from fcis_ros.data.segmentation import encode_segmentation
from fcis_ros.errors import InputError
from fcis_ros.metrics.coco_results import to_annotations
from fcis_ros.structures import Sample


class Truth:
    """The annotated objects of named images, for the classes of one model.

    Attributes:
        images: what is annotated.
        category_ids: the annotation file's id of each of the model's classes, None where it has no such class.

    Args:
        file: the annotations.
        class_names: the model's classes, matched by name.

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
    def load(cls, path: Path, class_names: tuple[str, ...]) -> "Truth":
        """Reads a COCO instance file; see ``read_coco``."""
        return cls(read_coco(path), class_names)

    def find(self, frame_name: str) -> ImageEntry | None:
        """The annotated image that a frame is, None if there is none.

        Args:
            frame_name: a file name or path. The annotation file's paths that it ends with come first, the longest before all,
                then an image of the same file name in any folder, then one whose file name has another ending or none.

        Raises:
            InputError: several images answer to the name.
        """
        parts = PurePosixPath(frame_name).parts
        for start in range(len(parts)):
            if image := self._paths.get(str(PurePosixPath(*parts[start:]))):
                return image
        name = PurePosixPath(frame_name)
        # A bare name such as 000012, or one with another ending; "a.b" may be a stem itself.
        found = self._names.get(name.name) or self._stems.get(name.name) or self._stems.get(name.stem) or []
        if len(found) > 1:
            examples = ", ".join(image.file_name for image in found[:2])
            raise InputError(f"{self._file.origin}: frame {frame_name} may be any of {len(found)} images ({examples} ...)")
        return found[0] if found else None

    def path_of(self, image: ImageEntry, folder: Path) -> Path:
        """Where an image lies: where the file says, from ``folder`` on; else right in it, if no other image has the name."""
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
        """An image's objects of the model's classes, as COCO annotations: the category is the label, the mask compressed runs.

        Raises:
            InputError: a mask is malformed.
        """
        return [self._entry(own, image) for own in self._file.annotations[image.id] if own.category_id in self._labels]

    def require_size(self, image: ImageEntry, height: int, width: int) -> None:
        """Raises InputError if a frame of this size is not the image."""
        if (height, width) != (image.height, image.width):
            raise InputError(
                f"{self._file.origin}: {image.file_name} is {image.width}x{image.height} there, the frame {width}x{height}"
            )

    def _entry(self, annotation: Annotation, image: ImageEntry) -> dict[str, Any]:
        """An annotation as pycocotools takes it; what the file leaves out follows from the mask."""
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


def drawn_content(class_names: Sequence[str]) -> dict[str, list]:
    """A COCO instance file's content without images yet."""
    return {"images": [], "annotations": [], "categories": [{"id": i, "name": name} for i, name in enumerate(class_names, 1)]}


def add_sample(content: dict[str, list], sample: Sample) -> None:
    """Adds an image and its objects to the content of a COCO instance file, whose categories are the sample's labels."""
    image_id = len(content["images"]) + 1
    height, width = sample.image.shape[:2]
    content["images"].append({"id": image_id, "file_name": sample.name, "height": height, "width": width})
    content["annotations"] += to_annotations(sample, image_id, len(content["annotations"]) + 1)
