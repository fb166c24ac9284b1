# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Ground truth of the frames of a recording, from a COCO instance file."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from fcis_ros.bags.reader import BagFrame
from fcis_ros.bags.remote import fetch
from fcis_ros.data.coco import ImageEntry, read_coco
from fcis_ros.errors import InputError
from fcis_ros.evaluation.image_ground_truth import ImageGroundTruth
from fcis_ros.findings import Finding


class UnusableGroundTruth(InputError):
    """The ground truth of one frame cannot be used."""


@dataclass(frozen=True)
class FrameGroundTruth:
    """Ground truth of a frame.

    Attributes:
        key: number of the annotated image; of several frames with the same number only the first is measured.
        image_id: image id in the annotation file; None without a file.
        objects: COCO annotations: label as category id, compressed mask, box, area, crowd flag, track id where known.
        other_classes: {class that the model does not have: number of its objects}, where only the frame tells.
    """

    key: int
    image_id: int | None
    objects: list[dict[str, Any]]
    other_classes: Mapping[str, int] = field(default_factory=dict)


class GroundTruth(Protocol):
    """Ground truth of frames that come in order.

    Attributes:
        matched_by: rule that matches frames: ``stamp``, ``name``, ``order`` or ``topic``.
        category_ids: category id of each class in the files of the run.
        findings: what is lost of the ground truth, and remarks.
    """

    @property
    def matched_by(self) -> str: ...

    @property
    def findings(self) -> tuple[Finding, ...]: ...

    @property
    def category_ids(self) -> Sequence[int]: ...

    def find(self, record: BagFrame, height: int, width: int) -> FrameGroundTruth | None:
        """Returns the ground truth of a frame of this size; None without.

        Raises:
            UnusableGroundTruth: the frame has another size than its annotations, or they are broken.
        """

    def no_match(self, frames: int) -> InputError:
        """Returns the error for a run in which none of so many frames has ground truth."""


class AnnotationFile:
    """COCO annotations of a recording's frames.

    Images match by ``stamp_ns`` where the file has it; else by file name where the recording names its frames; else by their
    order.

    Attributes:
        matched_by: ``stamp``, ``name`` or ``order``.
        file: annotation file.
        findings: what is lost of the file, and remarks.

    Args:
        path: path or URL of the file.
        class_names: classes of the model.
        named: whether the recording names its frames.
        count: number of frames of the recording.
        unordered: reason why the order of the frames is not that of the images; None if it is.

    Raises:
        InputError: the file cannot be used, or is of another recording.
    """

    def __init__(
        self, path: Path | str, class_names: tuple[str, ...], named: bool, count: int, unordered: str | None = None
    ):
        self.file = fetch(path, recording=False)
        with self.file.errors_with_url():
            self._read(self.file.path, class_names, named, count, unordered)

    def _read(self, path: Path, class_names: tuple[str, ...], named: bool, count: int, unordered: str | None) -> None:
        file = read_coco(path)
        self._images = ImageGroundTruth(file, class_names)
        self.findings = self._images.findings_of(file.images)
        stamped = [(image.stamp_ns, image) for image in file.images if image.stamp_ns is not None]
        self._by_stamp: Mapping[int, ImageEntry] = dict(stamped)
        self.category_ids = _complete(self._images.category_ids)
        if stamped:
            self.matched_by = "stamp"
            if len(stamped) < len(file.images):
                raise InputError(f"{path}: {len(stamped)} of {len(file.images)} images have a stamp_ns; all must, or none")
            if len(self._by_stamp) < len(stamped):
                pairs = Counter(stamp for stamp, _ in stamped)
                names = ", ".join(image.file_name for stamp, image in stamped if pairs[stamp] > 1)
                raise InputError(f"{path}: two images have the same stamp_ns ({names[:200]})")
            return
        self.matched_by = "name" if named else "order"
        if self.matched_by == "order":
            if unordered:
                raise InputError(f"{path}: its images need a stamp_ns each, as {unordered}")
            if len(file.images) != count:
                raise InputError(
                    f"{path}: {len(file.images)} images, but {count} frames in the recording; with a stamp_ns each they need "
                    "not be as many"
                )

    def find(self, record: BagFrame, height: int, width: int) -> FrameGroundTruth | None:
        """See ``GroundTruth``."""
        try:
            image = self._image(record)
        except InputError as error:  # the name may be that of several images
            raise UnusableGroundTruth(f"{record.name}: unusable ground truth ({error})") from None
        if image is None:
            return None
        if reason := self._images.fault(image, height, width):
            raise UnusableGroundTruth(f"{image.file_name}: unusable ground truth ({reason})")
        return FrameGroundTruth(image.id, image.id, self._images.objects(image))

    def _image(self, record: BagFrame) -> ImageEntry | None:
        if self.matched_by == "stamp":
            return self._by_stamp.get(record.stamp)
        return self._images.find(record.name) if self.matched_by == "name" else self._images.images[record.index]

    def no_match(self, frames: int) -> InputError:
        """See ``GroundTruth``."""
        return InputError(
            f"{self.file.origin}: annotations of other frames: none of the {frames} frames has a {self.matched_by} in it"
        )


def _complete(category_ids: list[int | None]) -> list[int]:
    """Returns ids for all classes, new ones for classes that the file lacks."""
    free = 1 + max((known for known in category_ids if known is not None), default=0)
    return [free + index if known is None else known for index, known in enumerate(category_ids)]
