# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Evaluation on annotated images: each goes through the pipeline and is matched with its ground truth."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fcis_ros.data.coco import ImageEntry
from fcis_ros.evaluation.image_ground_truth import ImageGroundTruth
from fcis_ros.evaluation.image_set import ImageFile, PredictedImage, predict_images
from fcis_ros.evaluation.pipeline import Network
from fcis_ros.metrics.coco_results import to_results
from fcis_ros.metrics.matching import match_image
from fcis_ros.results.gallery import picture
from fcis_ros.results.image_report import EvaluatedImage, choose


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

    def predict(self, entries: Sequence[ImageEntry], network: Network) -> Iterator[tuple[ImageEntry, PredictedImage]]:
        """Yields images with their predictions.

        Raises:
            InputError: an image cannot be read, or has another size than in the annotation file.
        """
        files = (ImageFile(entry.id, self.ground_truth.path_of(entry, self.folder)) for entry in entries)
        for entry, predicted in zip(entries, predict_images(files, network, score_floor=0.0), strict=True):
            self.ground_truth.require_size(entry, *predicted.image.shape[:2])
            yield entry, predicted


def evaluate_images(images: AnnotatedImages, entries: Sequence[ImageEntry], network: Network) -> Iterator[EvaluatedImage]:
    """Evaluates images one by one.

    Args:
        images: images with ground truth.
        entries: images to evaluate of these.
        network: network to run.

    Raises:
        InputError: an image cannot be read or has another size than in the annotation file, or an annotation is malformed.
    """
    for entry, predicted in images.predict(entries, network):
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
    for (group, result), (entry, predicted) in zip(chosen, images.predict(entries, network), strict=True):
        objects = zip(images.ground_truth.objects(entry), result.matches.object_scores, strict=True)
        missed = [annotation for annotation, object_score in objects if not annotation["iscrowd"] and object_score < score]
        instances = predicted.instances.select(predicted.instances.scores >= score)
        yield group, result, picture(predicted.image, instances, missed)
