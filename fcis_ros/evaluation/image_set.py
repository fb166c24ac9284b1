# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Image files through the pipeline."""

import functools
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fcis_ros.data.frame_sources import read_image
from fcis_ros.errors import InputError
from fcis_ros.evaluation.pipeline import Network, network_predictions, predicted_frames
from fcis_ros.structures import Instances


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


@dataclass(frozen=True, eq=False)
class PredictedImage:
    """An image file with its predicted instances.

    Attributes:
        file: image file.
        image: [H, W, 3] uint8, RGB.
        instances: predicted instances.
        milliseconds: run time of the network, from the array to the instances.
    """

    file: ImageFile
    image: np.ndarray
    instances: Instances
    milliseconds: float


def predict_images(files: Iterable[ImageFile], network: Network, score_floor: float) -> Generator[PredictedImage, None, None]:
    """Yields images with their predictions, in order.

    Args:
        files: image files.
        network: network to run.
        score_floor: lowest score of predicted instances, 0 to 1.

    Raises:
        InputError: a file cannot be read.
    """
    for predicted in predicted_frames(files, functools.partial(network_predictions, network, score_floor)):
        image, instances, milliseconds = predicted.decoded.image, predicted.instances, predicted.milliseconds
        if image is None or instances is None or milliseconds is None:
            raise InputError(predicted.decoded.problem)
        yield PredictedImage(predicted.decoded.frame, image, instances, milliseconds)
