# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""What is really there in the frames of a recording: COCO annotations, or our own messages on another topic."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pycocotools import mask as coco_mask

from fcis_ros.bags.reader import BagFrame
from fcis_ros.bags.remote import place_of
from fcis_ros.data.coco import ImageEntry, read_coco
from fcis_ros.errors import InputError
from fcis_ros.evaluation.ground_truth import Truth
from fcis_ros.metrics.coco_results import to_results
from fcis_ros.structures import Instances


@dataclass(frozen=True)
class Annotated:
    """The truth about a frame.

    Attributes:
        key: what identifies it: of two frames that are the same annotated image, the first is it.
        image_id: of the annotation file; None where there is none.
        objects: COCO annotations of the model's classes: category (label), compressed mask, box, area, crowd, maybe a track id.
    """

    key: int
    image_id: int | None
    objects: list[dict[str, Any]]


class FrameTruth(Protocol):
    """Finds the truth about frames that come in order.

    Attributes:
        matched_by: what tells which frame is which.
        category_ids: of the model's classes in the files that are written.
    """

    matched_by: str
    category_ids: Sequence[int]

    def find(self, record: BagFrame, height: int, width: int) -> Annotated | None:
        """The truth about a frame of this size; None if there is none."""

    def no_match(self, frames: int) -> InputError:
        """What to say if not one of so many frames has any."""


class AnnotationFile:
    """COCO annotations of a recording's frames.

    Images match by ``stamp_ns`` where the file has it; else by file name where the recording names its frames; else by their
    order.

    Attributes:
        matched_by: ``stamp``, ``name`` or ``order``.
        place: where the file lies.

    Args:
        path: the file, or its URL, see ``places``.
        class_names: of the model.
        named: whether the recording names its frames.
        count: frames of the recording; None where it holds several, which have no common order.

    Raises:
        InputError: the file cannot be used, or is of another recording.
    """

    def __init__(self, path: Path | str, class_names: tuple[str, ...], named: bool, count: int | None):
        self.place = place_of(path, recording=False)
        with self.place.naming():
            self._read(self.place.path, class_names, named, count)

    def _read(self, path: Path, class_names: tuple[str, ...], named: bool, count: int | None) -> None:
        file = read_coco(path)
        self._truth = Truth(file, class_names)
        stamped = [image for image in file.images if image.stamp_ns is not None]
        self._by_stamp: Mapping[int, ImageEntry] = {image.stamp_ns: image for image in stamped}
        self.category_ids = _complete(self._truth.category_ids)
        if stamped:
            self.matched_by = "stamp"
            if len(stamped) < len(file.images):
                raise InputError(f"{path}: {len(stamped)} of {len(file.images)} images have a stamp_ns; all must, or none")
            if len(self._by_stamp) < len(stamped):
                raise InputError(f"{path}: two images have the same stamp_ns")
            return
        self.matched_by = "name" if named else "order"
        if self.matched_by == "order":
            if count is None:
                raise InputError(f"{path}: its images need a stamp_ns each, as there are several recordings")
            if len(file.images) != count:
                raise InputError(
                    f"{path}: {len(file.images)} images, but {count} frames in the recording; with a stamp_ns each they need "
                    "not be as many"
                )

    def find(self, record: BagFrame, height: int, width: int) -> Annotated | None:
        """See ``FrameTruth``.

        Raises:
            InputError: the image has another size, or a mask is malformed.
        """
        if self.matched_by == "stamp":
            image = self._by_stamp.get(record.stamp)
        else:
            image = self._truth.find(record.name) if self.matched_by == "name" else self._truth.images[record.index]
        if image is None:
            return None
        with self.place.naming():
            self._truth.require_size(image, height, width)
            return Annotated(image.id, image.id, self._truth.objects(image))

    def no_match(self, frames: int) -> InputError:
        """What to say if not one frame is annotated."""
        return InputError(
            f"{self.place.shown}: annotations of other frames: none of the {frames} frames has a {self.matched_by} in it"
        )


def _complete(category_ids: list[int | None]) -> list[int]:
    """Ids for all classes: the file's, and new ones for those that it does not know."""
    free = 1 + max((own for own in category_ids if own is not None), default=0)
    return [free + index if own is None else own for index, own in enumerate(category_ids)]


def truth_objects(instances: Instances, ids: list[int]) -> list[dict[str, Any]]:
    """True instances as COCO annotations with track ids, 0 meaning none."""
    objects = []
    for entry, own in zip(to_results(instances, 0), ids, strict=True):
        kept = {key: entry[key] for key in ("category_id", "segmentation", "bbox")}
        area = float(coco_mask.area(entry["segmentation"]))
        objects.append({**kept, "area": area, "iscrowd": 0, **({"track_id": own} if own else {})})
    return objects
