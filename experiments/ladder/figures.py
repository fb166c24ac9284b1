# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Figures of a model on the held-out drive: AP, and false and true positives per frame at a score of 0.5."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask
from torch import Tensor
from tqdm import tqdm

from fcis_ros.metrics.average_precision import Table, measure
from fcis_ros.metrics.coco_results import to_annotations, to_results
from fcis_ros.metrics.matching import match_image
from fcis_ros.model.predictor import Predictor
from fcis_ros.model.score_maps import FusedRois
from fcis_ros.structures import Sample

SCORE = 0.5
OVERLAP = 0.3


def measure_drive(predictor: Predictor, samples: Sequence[Sample]) -> dict[str, float]:
    """Returns AP, AP50, AP75, AP50 by class, and ``false`` and ``true`` positives per frame."""
    matches, false, true = [], 0, 0
    for index in tqdm(range(len(samples)), desc="held-out drive", unit="frame"):
        annotations = to_annotations(samples[index], index, 1)
        results = to_results(predictor(samples[index].image), index)
        matches.append(match_image(annotations, results))
        right = matched([result for result in results if result["score"] >= SCORE], annotations)
        true += int(right.sum())
        false += int((~right).sum())
    ap = measure(Table.of(matches), predictor.config.class_names)
    by_class = {name: value for name, value in ap["per_class"].items() if value is not None}
    return {**ap["segm"], **by_class, "false": false / len(samples), "true": true / len(samples)}


def matched(results: Sequence[dict[str, Any]], annotations: Sequence[dict[str, Any]]) -> np.ndarray:
    """Returns [N] bool: whether a mask overlaps an object of its class, or lies in a crowd region, by ``OVERLAP``."""
    right = np.zeros(len(results), bool)
    if results and annotations:
        crowd = np.array([annotation["iscrowd"] for annotation in annotations])
        masks = [result["segmentation"] for result in results], [annotation["segmentation"] for annotation in annotations]
        overlaps = coco_mask.iou(*masks, crowd.astype(np.uint8))
        labels = (
            np.array([a["category_id"] for a in annotations])[None] == np.array([r["category_id"] for r in results])[:, None]
        )
        right = ((overlaps >= OVERLAP) & (labels | crowd.astype(bool)[None])).any(axis=1)
    return right


def rescore(predictor: Predictor) -> None:
    """Multiplies the scores of every ROI by the mean probability of its foreground: mask rescoring without parameters."""
    model, threshold = predictor.model, predictor.config.mask_threshold
    fuse = model.fuse_rounds

    def fuse_rounds(*args: Any) -> FusedRois:
        fused = fuse(*args)
        inside: Tensor = (fused.masks > threshold).float()
        quality = (fused.masks * inside).sum((1, 2)) / inside.sum((1, 2)).clamp(min=1)
        scores = fused.scores.clone()
        scores[:, 1:] *= quality[:, None]
        return FusedRois(fused.boxes, scores, fused.masks)

    model.fuse_rounds = fuse_rounds  # type: ignore[method-assign]
