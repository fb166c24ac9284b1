# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Frames as graphs. Capturing is played on the CPU: what is replayed computes again and writes where the first answer lies."""

import dataclasses
import itertools
import time
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch

from fcis_ros.data.synthetic.scenes import SyntheticScenes
from fcis_ros.model import fcis, frame_graph
from fcis_ros.model.frame_graph import FrameGraphs
from fcis_ros.model.predictor import Predictor
from fcis_ros.model.stage_clock import EXTERNAL

CPU = torch.device("cpu")


class Played:
    """In place of ``capture``; counts, and fails when it is told to."""

    def __init__(self):
        self.captured = self.replayed = 0
        self.error: Exception | None = None

    def __call__(self, compute, device):
        if self.error is not None:
            raise self.error
        self.captured += 1
        outputs = compute()

        def replay() -> None:
            self.replayed += 1
            again = compute()
            outputs.packed.copy_(again.packed)
            for padded, new in zip(outputs.instances, again.instances, strict=True):
                padded.runs.copy_(new.runs)

        return replay, outputs


@pytest.fixture
def played() -> Played:
    return Played()


def with_graphs(checkpoint: Path, played: Played, monkeypatch) -> Predictor:
    """With graphs, as on a GPU, and room for run lengths."""
    monkeypatch.setattr(fcis, "run_capacity", lambda device, width, instances: 8 * width * instances)
    predictor = Predictor.from_checkpoint(checkpoint, device="cpu", precision="fp32")
    predictor.graphs = FrameGraphs(predictor.model, "fp32", CPU, played)
    return predictor


@pytest.fixture
def predictor(tiny_checkpoint, played, monkeypatch) -> Predictor:
    return with_graphs(tiny_checkpoint, played, monkeypatch)


@pytest.fixture(scope="module")
def plain(tiny_checkpoint) -> Predictor:
    return Predictor.from_checkpoint(tiny_checkpoint, device="cpu", precision="fp32")


def pictures(count: int, height: int = 90, width: int = 130) -> list[np.ndarray]:
    return [SyntheticScenes(1).sample(n).image[:height, :width] for n in range(count)]


def assert_same(found, expected):
    assert found.class_names == expected.class_names and len(expected) > 3
    assert np.array_equal(found.boxes, expected.boxes) and np.array_equal(found.labels, expected.labels)
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-6)
    assert np.array_equal(found.masks, expected.masks)


def assert_served(predictor, plain, count=3):
    """Asserts that some frames have the answers of a predictor without graphs, also once the next ones are computed."""
    images = pictures(count)
    found = [predictor(image, 0.1) for image in images]
    for answer, image in zip(found, images, strict=True):
        assert_same(answer, plain(image, 0.1))


def test_frame_graphs_second_frame_of_a_shape_is_captured(predictor, plain, played):
    counts = []
    for image in pictures(4):
        (found,) = predictor.predict([image], 0.1)
        assert ("frame" in found.stage_ms) == (len(counts) > 0)
        counts.append((played.captured, played.replayed))
    assert counts == [(0, 0), (1, 1), (1, 2), (1, 3)]
    assert_served(predictor, plain)


def test_frame_graphs_pyramid_frames_are_captured(pyramid_checkpoint, played, monkeypatch):
    plain = Predictor.from_checkpoint(pyramid_checkpoint, device="cpu", precision="fp32")
    assert_served(with_graphs(pyramid_checkpoint, played, monkeypatch), plain)
    assert (played.captured, played.replayed) == (1, 2)


def test_predict_captured_frame_has_stage_times_and_the_rest_is_frame(predictor, plain, monkeypatch):
    """Each stage takes a second of a clock of the test's; what is no stage of the graph's, one more."""
    now = itertools.count()
    monkeypatch.setattr(time, "perf_counter", lambda: next(now))
    images = pictures(3)
    stages = plain.predict([images[0]], 0.1)[0].stage_ms
    for image in images:
        (found,) = predictor.predict([image], 0.1)
    assert set(found.stage_ms) == {*stages, "frame"}
    assert all(milliseconds == 1000 for stage, milliseconds in found.stage_ms.items() if stage != "frame")
    assert found.stage_ms["frame"] == 2000  # the clock is asked before the first stage of the graph and after the last one
    (one, other) = predictor.predict([images[0], images[1][:60]], 0.1)  # the one in a graph, the other not
    assert one.stage_ms == other.stage_ms and one.stage_ms["backbone"] == 1000


def test_frame_graphs_one_per_batch_size_and_image_size(predictor, plain, played):
    """Two sizes in one call: each is a separate batch, and answers keep their order."""
    small, large = pictures(3), pictures(2, 120, 160)
    given = [small[0], large[0], small[1], large[1], small[2]]
    expected = plain.predict(given, 0.1)  # in the same batches: others round differently
    for _ in range(3):
        found = predictor.predict(given, 0.1)
        for one, other in zip(found, expected, strict=True):
            assert_same(one.instances, other.instances)
    assert (played.captured, played.replayed) == (2, 4)


def test_frame_graphs_one_per_score_floor(predictor, plain):
    image = pictures(1)[0]
    best = float(plain(image).scores[3])
    for floor in (0.0, 0.0, best, best):
        found = predictor(image, floor)
        assert len(found) == (plain(image).scores >= np.float32(floor)).sum()


def test_frame_graphs_runs_beyond_the_capacity_are_computed_without_a_graph(predictor, plain, played, monkeypatch):
    monkeypatch.setattr(fcis, "run_capacity", lambda *_: 20)
    assert_served(predictor, plain)
    assert played.captured == 1 and played.replayed == 2


def test_frame_graphs_above_the_limit_frees_the_least_recently_used(predictor, played, monkeypatch):
    monkeypatch.setattr(frame_graph, "LIMIT", 2)
    predictor.graphs = FrameGraphs(predictor.model, "fp32", CPU, played)
    a, b, c = (pictures(1, 90 + n)[0] for n in range(3))
    for image in (a, a, b, b, a, c, c):  # b was used before a
        predictor(image)
    assert played.captured == 3
    predictor(a)
    assert played.captured == 3
    predictor(b)
    assert played.captured == 4


def test_frame_graphs_capture_error_warns_once_and_frames_are_served(predictor, plain, played, recwarn):
    played.error = RuntimeError("operation not permitted when stream is capturing\nmore")
    assert_served(predictor, plain, 4)
    (warning,) = [str(entry.message) for entry in recwarn if "CUDA graphs" in str(entry.message)]
    assert warning.endswith("a frame cannot be captured (operation not permitted when stream is capturing)")


def test_frame_graphs_out_of_memory_at_capture_is_served_without(predictor, plain, played, recwarn):
    image = pictures(1)[0]
    predictor(image), predictor(image)
    played.error = torch.cuda.OutOfMemoryError("CUDA out of memory")
    larger = pictures(1, 120)[0]
    for _ in range(2):
        assert_same(predictor(larger, 0.1), plain(larger, 0.1))
    assert not predictor.graphs.why_not and not len(recwarn)
    played.error = None
    before = played.captured
    for _ in range(3):
        predictor(image)
    assert played.captured == before + 1  # all had been given up


def test_predict_out_of_memory_frees_the_graphs(predictor, monkeypatch, played):
    image, larger = pictures(1)[0], pictures(1, 120)[0]
    predictor(image), predictor(image)
    with monkeypatch.context() as patch, pytest.raises(torch.cuda.OutOfMemoryError):
        patch.setattr(predictor.model, "dense", Mock(side_effect=torch.cuda.OutOfMemoryError("CUDA out of memory")))
        predictor(larger)
    predictor(image), predictor(image)
    assert played.captured == 2


def test_frame_graphs_category_voting_is_not_captured(predictor, played):
    predictor.model.config = dataclasses.replace(predictor.config, voting="category")
    graphs = FrameGraphs(predictor.model, "fp32", CPU, played)
    assert [graphs.find(pictures(1), 0.0) for _ in range(3)] == [None] * 3
    assert graphs.why_not == "voting: category waits for the number of votes" and not played.captured


@pytest.mark.cuda
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_frame_graphs_on_a_gpu_answers_equal_those_without(precision):
    """Captured and not, alone and in batches, on side streams: the same answers."""
    predictor = Predictor.from_checkpoint(device="cuda", precision=precision)
    without = Predictor.from_checkpoint(device="cuda", precision=precision)
    without.graphs = None
    images = [SyntheticScenes(1).sample(n).image for n in range(8)]
    for count in (1, 1, 1, 8, 8, 8, 2, 2):
        with torch.cuda.stream(torch.cuda.Stream()):
            found = predictor.predict(images[-count:], 0.1)
        for captured, plain in zip(found, without.predict(images[-count:], 0.1), strict=True):
            assert np.array_equal(captured.instances.labels, plain.instances.labels)
            np.testing.assert_allclose(captured.instances.scores, plain.instances.scores, atol=2e-3)
            assert (captured.instances.masks != plain.instances.masks).mean() < 1e-3
    assert not predictor.graphs.why_not and "frame" in found[0].stage_ms
    assert not EXTERNAL or all(found[0].stage_ms[stage] > 0 for stage in ("preprocess", "backbone", "rois", "voting"))
    torch.cuda.synchronize()
