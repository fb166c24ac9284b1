# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Evaluation on annotated images: each goes through the pipeline and is matched with its ground truth."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fcis_ros.data.coco import ImageEntry
from fcis_ros.errors import InputError
from fcis_ros.evaluation.image_ground_truth import ImageGroundTruth
from fcis_ros.evaluation.image_set import ImageFile, predict_images
from fcis_ros.evaluation.pipeline import Network
from fcis_ros.metrics.coco_results import to_results
from fcis_ros.metrics.matching import match_image
from fcis_ros.results.gallery import picture
from fcis_ros.results.image_report import EvaluatedImage, choose
from fcis_ros.structures import Instances


@dataclass(frozen=True)
class AnnotatedImages:
    """Images of a folder with their ground truth.

    Attributes:
        ground_truth: annotation file.
        entries: images to evaluate.
        folder: folder of the image files.
    """

    ground_truth: ImageGroundTruth
    entries: Sequence[ImageEntry]
    folder: Path

    def predict(self, entries: Sequence[ImageEntry], network: Network) -> Iterator[tuple[np.ndarray, Instances, float]]:
        """Yields images, [H, W, 3] uint8, RGB, with their instances and the run time of the network in milliseconds.

        Raises:
            InputError: an image cannot be read, or has another size than in the annotation file.
        """
        files = (ImageFile(entry.id, self.ground_truth.path_of(entry, self.folder)) for entry in entries)
        for entry, predicted in zip(entries, predict_images(files, network, score_floor=0.0), strict=True):
            image, instances, milliseconds = predicted.decoded.image, predicted.instances, predicted.milliseconds
            if image is None or instances is None or milliseconds is None:
                raise InputError(predicted.decoded.problem)
            self.ground_truth.require_size(entry, *image.shape[:2])
            yield image, instances, milliseconds


def evaluate_images(images: AnnotatedImages, entries: Sequence[ImageEntry], network: Network) -> Iterator[EvaluatedImage]:
    """Evaluates images one by one.

    Args:
        images: images with ground truth.
        entries: images to evaluate of these.
        network: network to run.

    Raises:
        InputError: an image cannot be read or has another size than in the annotation file, or an annotation is malformed.
    """
    for entry, (_, instances, milliseconds) in zip(entries, images.predict(entries, network), strict=True):
        matches = match_image(images.ground_truth.objects(entry), to_results(instances, entry.id))
        yield EvaluatedImage(entry.id, entry.file_name, matches, milliseconds)


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
    predictions = images.predict(entries, network)
    for (group, result), entry, (image, instances, _) in zip(chosen, entries, predictions, strict=True):
        objects = zip(images.ground_truth.objects(entry), result.matches.object_scores, strict=True)
        missed = [annotation for annotation, object_score in objects if not annotation["iscrowd"] and object_score < score]
        yield group, result, picture(image, instances.select(instances.scores >= score), missed)
