# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Image files through the pipeline into the folder of ``fcis predict``: overlays, results.json and images.json."""

import contextlib
import functools
import json
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from fcis_ros import overlay
from fcis_ros.data.frame_sources import read_image
from fcis_ros.errors import InputError
from fcis_ros.evaluation.pipeline import Network, PredictedFrame, network_predictions, predicted_frames
from fcis_ros.evaluation.threads import write_behind
from fcis_ros.findings import Unusable
from fcis_ros.metrics.coco_results import to_results


@dataclass(frozen=True)
class ImageFile:
    """An image file as a frame of the pipeline.

    Attributes:
        id: id of the image in results.
        path: path of the file.
    """

    id: int
    path: Path

    def image(self) -> np.ndarray:
        """Reads the image as [H, W, 3] uint8, RGB; see ``read_image``."""
        return read_image(self.path)


def predict_images(
    files: Iterable[ImageFile], network: Network, score_floor: float
) -> Generator[PredictedFrame[ImageFile], None, None]:
    """Yields images with their predictions, in order; those that cannot be read with the reason.

    Args:
        files: image files.
        network: network to run.
        score_floor: lowest score of predicted instances, 0 to 1.
    """
    yield from predicted_frames(files, functools.partial(network_predictions, network, score_floor))


@dataclass(frozen=True)
class WrittenPredictions:
    """What was written.

    Attributes:
        instances: number of instances in results.json.
        images: number of images in images.json.
        unusable: images that were left out.
    """

    instances: int
    images: int
    unusable: tuple[Unusable, ...]


def write_predictions(
    predictions: Iterable[PredictedFrame[ImageFile]], drawn_score: float, category_ids: Sequence[int | None],
    class_names: Sequence[str], folder: Path,
) -> WrittenPredictions:  # fmt: skip
    """Writes an overlay of each image (NAME.overlay.jpg), results.json and images.json.

    Images without a prediction are left out.

    Args:
        predictions: images with their predictions; their file names differ.
        drawn_score: score threshold of drawn instances, 0 to 1.
        category_ids: category id of each class; None for a class to leave out.
        class_names: classes of the model.
        folder: existing folder of the files.

    Raises:
        InputError: no image can be used.
        OSError: the disk is full.
    """
    results, images, unusable = [], [], []
    write = functools.partial(_write_overlay, folder, drawn_score)
    with contextlib.closing(write_behind(iter(predictions), write)) as written:
        for predicted in written:
            file, instances = predicted.decoded.frame, predicted.instances
            if instances is None:
                unusable.append(Unusable(file.path.name, str(predicted.decoded.problem).removeprefix(f"{file.path}: ")))
                continue
            results += to_results(instances, file.id, category_ids)
            images.append({"id": file.id, "file_name": file.path.name, "height": instances.height, "width": instances.width})
    if unusable and not images:
        raise InputError(f"none of {len(unusable)} images can be used; the first: {': '.join(unusable[0])}")
    named = zip(category_ids, class_names, strict=True)
    categories = [{"id": number, "name": name} for number, name in named if number is not None]
    (folder / "images.json").write_text(json.dumps({"images": images, "categories": categories}, indent=1), encoding="utf-8")
    (folder / "results.json").write_text(json.dumps(results), encoding="utf-8")
    return WrittenPredictions(len(results), len(images), tuple(unusable))


def _write_overlay(folder: Path, drawn_score: float, predicted: PredictedFrame[ImageFile]) -> None:
    instances, image = predicted.instances, predicted.decoded.image
    if instances is None or image is None:
        return
    drawn = overlay.draw(image, instances.select(instances.scores >= drawn_score))
    jpeg = cv2.imencode(".jpg", cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR))[1]
    (folder / f"{predicted.decoded.frame.path.name}.overlay.jpg").write_bytes(jpeg.tobytes())
