# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Ground truth of the frames of a clip that is being recorded: an annotation file, or the synthetic renderer's."""

from collections.abc import Collection, Sequence
from pathlib import Path

from fcis_ros.bags.writer import ClipFrame
from fcis_ros.data.coco import ImageEntry, read_coco
from fcis_ros.data.frame_sources import Frame
from fcis_ros.data.segmentation import to_instances
from fcis_ros.data.synthetic.scenes import CLASS_NAMES
from fcis_ros.errors import InputError
from fcis_ros.evaluation.image_ground_truth import ImageGroundTruth
from fcis_ros.findings import Finding, counted, listing
from fcis_ros.metrics.track_scores import true_instances
from fcis_ros.structures import Instances


def synthetic_ground_truth(frame: Frame) -> tuple[Instances, Sequence[int]] | None:
    """Returns objects and track ids of a frame of the synthetic clip; None for other frames."""
    sample = frame.truth
    if sample is None:
        return None
    objects = true_instances(sample, CLASS_NAMES)
    return objects, [0] * len(objects) if sample.ids is None else sample.ids[~sample.crowd].tolist()


class ClipGroundTruth:
    """Ground truth of frames whose file names are in an annotation file.

    Args:
        path: COCO instance file.

    Raises:
        InputError: the file cannot be used.
    """

    def __init__(self, path: Path):
        file = read_coco(path)
        self._name, self._class_names = file.name, file.class_names
        self._images = ImageGroundTruth(file, self._class_names)

    def __call__(self, frame: Frame) -> tuple[Instances, Sequence[int]] | None:
        """Returns objects and track ids (0 without) of a frame; None if it is not annotated, or its annotations cannot be used.

        Crowd regions are left out.
        """
        height, width = frame.image.shape[:2]
        image, fault = self._find(frame.name, height, width)
        if image is None or fault:
            return None
        objects = [entry for entry in self._images.objects(image) if not entry["iscrowd"]]
        instances, kept = to_instances(objects, height, width, self._class_names)
        return instances, [entry.get("track_id", 0) for entry in kept]

    def left_out(self, frames: Collection[ClipFrame]) -> tuple[int, tuple[Finding, ...]]:
        """Returns what recorded frames lack of their ground truth.

        Returns:
            The number of crowd regions, which a message cannot hold; and findings.

        Raises:
            InputError: none of the frames is annotated.
        """
        self._images.require_match(frame.name for frame in frames)
        found = [(frame.name, *self._find(frame.name, frame.height, frame.width)) for frame in frames]
        recorded = [image for _, image, fault in found if image and not fault]
        crowds = sum(entry["iscrowd"] for image in recorded for entry in self._images.objects(image))
        reasons = [f"{name} ({fault})" for name, _, fault in found if fault]
        text = f"{counted(len(reasons), 'annotated frame')} recorded without ground truth: {listing(reasons)}"
        findings = self._images.findings_of([image for _, image, _ in found if image])
        return crowds, findings + ((Finding(self._name, text),) if reasons else ())

    def _find(self, name: str, height: int, width: int) -> tuple[ImageEntry | None, str | None]:
        """Returns the annotated image of a frame, if there is one, and why it cannot be used."""
        try:
            image = self._images.find(name)
        except InputError as error:  # the name may be that of several images
            return None, str(error)
        return image, self._images.fault(image, height, width) if image else None
