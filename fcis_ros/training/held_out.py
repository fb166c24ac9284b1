# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Average precision on held-out images while a model trains."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from fcis_ros.metrics.average_precision import Table, measure
from fcis_ros.metrics.coco_results import to_annotations, to_results
from fcis_ros.metrics.matching import match_image
from fcis_ros.model.fcis import FCIS
from fcis_ros.model.predictor import Predictor
from fcis_ros.structures import Sample
from fcis_ros.training.distributed import Processes


@dataclass(frozen=True)
class HeldOut:
    """Images that are evaluated but not trained on.

    Attributes:
        samples: annotated images.
        limit: maximum number of images that are evaluated, the first of ``samples``.
    """

    samples: Sequence[Sample]
    limit: int


def measure_held_out(model: FCIS, held_out: HeldOut, device: torch.device, processes: Processes) -> dict[str, float] | None:
    """Computes the average precision of a model; the processes share the images.

    Returns:
        {name: value} of the mask AP, overall and as ``AP50 CLASS`` per class, in the first process; None in the others.

    Raises:
        InputError: an image cannot be read.
    """
    predictor = Predictor(model, "training", device)
    matches = []
    for index in processes.share(range(min(held_out.limit, len(held_out.samples)))):
        sample = held_out.samples[index]
        matches.append(match_image(to_annotations(sample, index, 1), to_results(predictor(sample.image), index)))
    merged = processes.merge(matches)
    if merged is None:
        return None
    ap = measure(Table.of(merged), predictor.config.class_names)
    figures = {**ap["segm"], **{f"AP50 {name}": value for name, value in ap["per_class"].items()}}
    return {name: value for name, value in figures.items() if value is not None}
