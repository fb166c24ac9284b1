# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The folder of ``fcis predict``: overlays, results.json and images.json."""

import contextlib
import functools
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2

from fcis_ros import overlay
from fcis_ros.evaluation.image_set import PredictedImage
from fcis_ros.evaluation.threads import write_behind
from fcis_ros.metrics.coco_results import to_results


def write_predictions(
    predictions: Iterable[PredictedImage], drawn_score: float, category_ids: Sequence[int | None],
    class_names: Sequence[str], folder: Path,
) -> int:  # fmt: skip
    """Writes an overlay of each image (NAME.overlay.jpg), results.json and images.json.

    Args:
        predictions: images with their predictions; their file names differ.
        drawn_score: score threshold of drawn instances, 0 to 1.
        category_ids: category id of each class; None for a class to leave out.
        class_names: classes of the model.
        folder: existing folder of the files.

    Returns:
        Number of instances in results.json.

    Raises:
        OSError: the disk is full.
    """
    results, images = [], []
    write = functools.partial(_write_overlay, folder, drawn_score)
    with contextlib.closing(write_behind(iter(predictions), write)) as written:
        for predicted in written:
            file, instances = predicted.file, predicted.instances
            results += to_results(instances, file.id, category_ids)
            images.append({"id": file.id, "file_name": file.path.name, "height": instances.height, "width": instances.width})
    named = zip(category_ids, class_names, strict=True)
    categories = [{"id": number, "name": name} for number, name in named if number is not None]
    (folder / "images.json").write_text(json.dumps({"images": images, "categories": categories}, indent=1), encoding="utf-8")
    (folder / "results.json").write_text(json.dumps(results), encoding="utf-8")
    return len(results)


def _write_overlay(folder: Path, drawn_score: float, predicted: PredictedImage) -> None:
    instances = predicted.instances
    drawn = overlay.draw(predicted.image, instances.select(instances.scores >= drawn_score))
    jpeg = cv2.imencode(".jpg", cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR))[1]
    (folder / f"{predicted.file.path.name}.overlay.jpg").write_bytes(jpeg.tobytes())
