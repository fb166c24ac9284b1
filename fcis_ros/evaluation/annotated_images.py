# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Evaluation on annotated images: each goes through the pipeline and is matched with its ground truth."""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fcis_ros.data.coco import ImageEntry
from fcis_ros.data.image_names import ImageFolder
from fcis_ros.errors import InputError
from fcis_ros.evaluation.image_ground_truth import ImageGroundTruth
from fcis_ros.evaluation.pipeline import Network, PredictedFrame, network_predictions, predicted_frames
from fcis_ros.findings import Unusable
from fcis_ros.metrics.coco_results import to_results
from fcis_ros.metrics.matching import match_image
from fcis_ros.results.gallery import picture
from fcis_ros.results.image_report import EvaluatedImage, choose


@dataclass(frozen=True)
class AnnotatedImage:
    """An annotated image as a frame of the pipeline.

    Attributes:
        entry: entry in the annotation file.
        path: path of the image file.
        ground_truth: annotation file.
    """

    entry: ImageEntry
    path: Path
    ground_truth: ImageGroundTruth

    def image(self) -> np.ndarray:
        """Reads the image as [H, W, 3] uint8, RGB; raises InputError if it or its annotations cannot be used."""
        if reason := self.ground_truth.unusable.get(self.entry.id):
            raise InputError(reason)
        return self.ground_truth.read(self.entry, self.path)


class AnnotatedImages:
    """Images of a folder with their ground truth.

    Attributes:
        ground_truth: annotation file.
        entries: images to evaluate.

    Args:
        ground_truth: annotation file.
        entries: images to evaluate.
        folder: folder of the image files.
    """

    def __init__(self, ground_truth: ImageGroundTruth, entries: Sequence[ImageEntry], folder: Path):
        self.ground_truth, self.entries = ground_truth, entries
        self._folder = ImageFolder(folder, (image.file_name for image in ground_truth.images))

    def path_of(self, entry: ImageEntry) -> Path:
        """Returns the path of an image file; see ``ImageFolder``."""
        return self._folder.path_of(entry.file_name)

    def predict(self, entries: Sequence[ImageEntry], network: Network) -> Iterator[PredictedFrame[AnnotatedImage]]:
        """Yields images with their predictions, in order."""
        images = (AnnotatedImage(entry, self.path_of(entry), self.ground_truth) for entry in entries)
        return predicted_frames(images, functools.partial(network_predictions, network, 0.0))


def evaluate_images(
    images: AnnotatedImages, entries: Sequence[ImageEntry], network: Network
) -> Iterator[EvaluatedImage | Unusable]:
    """Evaluates images one by one; those that cannot be used are left out whole: without some of its
    objects, right detections in an image would count as errors.

    Args:
        images: images with ground truth.
        entries: images to evaluate of these.
        network: network to run.
    """
    for predicted in images.predict(entries, network):
        entry = predicted.decoded.frame.entry
        if predicted.instances is None or predicted.milliseconds is None:
            reason = predicted.decoded.problem or "no prediction"
            yield Unusable(entry.file_name, reason.removeprefix(f"{predicted.decoded.frame.path}: "))
            continue
        matches = match_image(images.ground_truth.objects(entry), to_results(predicted.instances, entry.id))
        yield EvaluatedImage(entry.id, entry.file_name, matches, predicted.milliseconds)


def shown_images(
    images: AnnotatedImages, evaluated: Sequence[EvaluatedImage], network: Network, score: float
) -> Iterator[tuple[str, EvaluatedImage, bytes]]:
    """Yields the best and the worst images, each with its group and a picture as JPEG; they go through the network again.

    Args:
        images: images with ground truth.
        evaluated: all evaluated images.
        network: network to run.
        score: score threshold of pictures and counts, 0 to 1.
    """
    chosen = choose(evaluated, score)
    by_id = {entry.id: entry for entry in images.entries}
    entries = [by_id[result.id] for _, result in chosen]
    for (group, result), predicted in zip(chosen, images.predict(entries, network), strict=True):
        image, instances = predicted.decoded.image, predicted.instances
        if image is None or instances is None:
            continue  # the file has vanished since
        objects = zip(images.ground_truth.objects(by_id[result.id]), result.matches.object_scores, strict=True)
        missed = [annotation for annotation, object_score in objects if not annotation["iscrowd"] and object_score < score]
        yield group, result, picture(image, instances.select(instances.scores >= score), missed)
