# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
from functools import partial

import numpy as np
import pytest
from bag_evaluations import instances

from fcis_ros.errors import InputError
from fcis_ros.evaluation.pipeline import DamagedRecording, network_predictions, predicted_frames
from fcis_ros.structures import Prediction


class Frame:
    """A frame that shows its number everywhere; odd ones cannot be decoded."""

    def __init__(self, number):
        self.number = number

    def image(self):
        if self.number % 2:
            raise InputError(f"frame {self.number}: damaged")
        return np.full((4, 6, 3), self.number, np.uint8)


class Network:
    """Returns one instance, whose score is the value of the pixels in percent."""

    def __init__(self):
        self.score_floors = []

    def predict(self, images, score_floor):
        (image,) = images
        self.score_floors.append(score_floor)
        return [Prediction(instances([(0, 0, 1, 1)], [image[0, 0, 0] / 100], [1]), {"rpn": 2.0}, 0)]


def frames_then(error, count):
    yield from map(Frame, range(count))
    if error:
        raise error


def test_predicted_frames_unusable_frames_keep_their_position():
    network, frames = Network(), map(Frame, range(6))
    predicted = list(predicted_frames(frames, partial(network_predictions, network, 0.25)))
    assert [item.decoded.frame.number for item in predicted] == list(range(6))
    assert network.score_floors == [0.25] * 3
    for number, item in enumerate(predicted):
        if number % 2:
            assert item.instances is item.decoded.image is item.milliseconds is None
            assert item.decoded.problem == f"frame {number}: damaged" and item.stage_ms == {}
        else:
            assert item.instances.scores == pytest.approx([number / 100]) and item.decoded.problem is None
            assert item.milliseconds >= 0 and item.stage_ms == {"rpn": 2.0}


def test_predicted_frames_damaged_source_raises_after_all_frames():
    predicted = predicted_frames(frames_then(InputError("cut at byte 7"), 3), partial(network_predictions, Network(), 0))
    assert [next(predicted).decoded.frame.number for _ in range(3)] == [0, 1, 2]
    with pytest.raises(DamagedRecording, match="cut at byte 7"):
        next(predicted)
