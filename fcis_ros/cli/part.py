# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""One part of an offline evaluation, or all of it, as the options of ``evaluate-bag`` say."""

import argparse
from collections.abc import Callable
from pathlib import Path

from fcis_ros.evaluation.bags import EvaluatedModel, evaluate_bags
from fcis_ros.evaluation.offline import Shard
from fcis_ros.files import file_digest
from fcis_ros.model.checkpoint import default_checkpoint
from fcis_ros.model.exported import load_predictor


def evaluate_part(arguments: argparse.Namespace, folder: Path, part: Shard, progress: Callable[[int, int], None]) -> None:
    """Evaluates a part into its folder; ``progress`` and errors as of ``evaluation.evaluate_bags``."""
    checkpoint = Path(arguments.checkpoint) if arguments.checkpoint else default_checkpoint()
    predictor = load_predictor(checkpoint, arguments.device, arguments.threads, arguments.precision)
    model = EvaluatedModel(predictor, file_digest(checkpoint))
    evaluate_bags(
        arguments.bags, arguments.topic, arguments.annotations, arguments.truth_topic, model, folder, arguments.score, part,
        progress,
    )  # fmt: skip
