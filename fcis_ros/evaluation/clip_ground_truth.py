# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""What is in the frames of a clip that is recorded: from an annotation file, or from whoever drew them."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from fcis_ros.data.coco import read_coco
from fcis_ros.data.frame_sources import Frame
from fcis_ros.data.synthetic.scenes import CLASS_NAMES
from fcis_ros.evaluation.ground_truth import Truth
from fcis_ros.messages.mask_serialization import to_instances
from fcis_ros.metrics.track_scores import true_instances
from fcis_ros.structures import Instances


def drawn_truth(frame: Frame) -> tuple[Instances, Sequence[int]] | None:
    """Of a frame of the synthetic clip."""
    sample = frame.truth
    if sample is None:
        return None
    there = true_instances(sample, CLASS_NAMES)
    ids = [0] * len(there) if sample.ids is None else sample.ids[~sample.crowd].tolist()
    return there, ids


class AnnotatedTruth:
    """Of frames whose file names an annotation file has.

    Attributes:
        left_out: regions to ignore so far, which a message cannot say.

    Args:
        path: COCO instance file.
    """

    def __init__(self, path: Path):
        file = read_coco(path)
        self._class_names = tuple(file.categories.values())
        self._truth = Truth(file, self._class_names)
        self.left_out = 0

    def __call__(self, frame: Frame) -> tuple[Instances, Sequence[int]] | None:
        """See ``writing.record``.

        Raises:
            InputError: the frame has another size than the file says, or a mask is malformed.
        """
        if (image := self._truth.find(frame.name)) is None:
            return None
        height, width = frame.image.shape[:2]
        self._truth.require_size(image, height, width)
        everything = self._truth.objects(image)
        objects = [own for own in everything if not own["iscrowd"]]
        self.left_out += len(everything) - len(objects)
        there, kept = to_instances(objects, height, width, self._class_names)
        return there, [kept_object.get("track_id", 0) for kept_object in kept]

    def require_any(self, names: Iterable[str]) -> None:
        """Raises InputError if the file has none of the frames."""
        self._truth.require_match(names)
