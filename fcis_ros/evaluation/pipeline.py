# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The pipeline of every evaluation: frames are decoded, read ahead, and predicted; each stage is a generator.

Frames are messages of recordings or image files. Predictions come from a network (``network_predictions``) or were recorded
(``live.answers_in_order``). What follows is the caller's: ``recordings`` and ``prediction_folder`` match and write them.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import numpy as np

from fcis_ros.errors import InputError
from fcis_ros.evaluation.threads import read_ahead
from fcis_ros.structures import Instances, Prediction


class EncodedFrame(Protocol):
    """Frame as it is stored, such as ``bags.reader.BagFrame``."""

    def image(self) -> np.ndarray:
        """Decodes the image: [H, W, 3] uint8, RGB; raises InputError if the frame cannot be used."""
        ...


class Network(Protocol):
    """Network that predicts instances, such as ``model.predictor.Predictor``."""

    def predict(self, images: Sequence[np.ndarray], score_floor: float) -> list[Prediction]: ...


class DamagedRecording(InputError):
    """A recording cannot be read any further."""


FrameT = TypeVar("FrameT", bound=EncodedFrame)


@dataclass(frozen=True, eq=False)
class DecodedFrame(Generic[FrameT]):
    """A frame with its image.

    Attributes:
        frame: frame as it is stored.
        image: [H, W, 3] uint8, RGB; None if the frame cannot be used.
        problem: reason why it cannot be used.
    """

    frame: FrameT
    image: np.ndarray | None
    problem: str | None = None


@dataclass(frozen=True, eq=False)
class PredictedFrame(Generic[FrameT]):
    """A frame with its predicted instances.

    Attributes:
        decoded: frame and image.
        instances: predicted instances; None if the frame cannot be used.
        milliseconds: run time of the network; None if it did not run.
        stage_ms: run time of each stage, milliseconds.
    """

    decoded: DecodedFrame[FrameT]
    instances: Instances | None
    milliseconds: float | None = None
    stage_ms: Mapping[str, float] = field(default_factory=dict)


Predict = Callable[[Iterator[DecodedFrame[FrameT]]], Iterator[PredictedFrame[FrameT]]]


def predicted_frames(frames: Iterable[FrameT], predict: Predict[FrameT]) -> Iterator[PredictedFrame[FrameT]]:
    """Yields the frames with their predictions, in order.

    Args:
        frames: frames to decode, in a thread.
        predict: source of predictions.

    Raises:
        DamagedRecording: the frames cannot be read any further.
    """
    return predict(read_ahead(decode_frames(frames)))


def decode_frames(frames: Iterable[FrameT]) -> Iterator[DecodedFrame[FrameT]]:
    """Decodes the images of frames.

    Raises:
        DamagedRecording: the recording cannot be read any further.
    """
    iterator = iter(frames)
    while True:
        try:
            frame = next(iterator)
        except StopIteration:
            return
        except InputError as error:
            raise DamagedRecording(str(error)) from None
        try:
            image = frame.image()
        except InputError as error:
            yield DecodedFrame(frame, None, str(error))
        else:
            yield DecodedFrame(frame, image)


def network_predictions(
    network: Network, score_floor: float, frames: Iterator[DecodedFrame[FrameT]]
) -> Iterator[PredictedFrame[FrameT]]:
    """Runs a network on the frames that can be used.

    Args:
        network: network to run.
        score_floor: lowest score of predicted instances, 0 to 1.
        frames: decoded frames.
    """
    for decoded in frames:
        if decoded.image is None:
            yield PredictedFrame(decoded, None)
            continue
        start = time.perf_counter()
        (prediction,) = network.predict([decoded.image], score_floor)
        milliseconds = (time.perf_counter() - start) * 1000
        yield PredictedFrame(decoded, prediction.instances, milliseconds, prediction.stage_ms)
