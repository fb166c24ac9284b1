# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Image files through the pipeline."""

import functools
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fcis_ros.data.frame_sources import read_image
from fcis_ros.evaluation.pipeline import Network, PredictedFrame, network_predictions, predicted_frames


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
