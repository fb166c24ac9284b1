# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The worker with a simulated predictor."""

import time
from types import SimpleNamespace

import pytest

from fcis_ros.errors import InputError
from fcis_ros.ros import inference_worker, model_loading
from fcis_ros.ros.frame_queue import FrameCounts, FrameQueue, NodeEndedError, StaleFrameError
from fcis_ros.ros.inference_worker import PublishedFrame


class Predictor:
    """Predicts the image itself; images in ``errors`` raise."""

    def __init__(self, device="cpu"):
        self.name, self.device = "model", SimpleNamespace(type=device)
        self.errors, self.batches = {}, []

    def predict(self, images, score_floor):
        self.batches.append(list(images))
        for image in images:
            if image in self.errors:
                raise self.errors[image]
        return [SimpleNamespace(instances=image, stage_ms={"rpn": 1.0}, ignored_rois=2) for image in images]


class Sink:
    def __init__(self):
        self.published, self.refused, self.picture_error = [], [], None

    def decode(self, frame):
        if isinstance(frame.message, Exception):
            raise frame.message
        return frame.message

    def publish(self, frame):
        if frame.image == "unpublishable":
            raise RuntimeError("publish")
        self.published.append(frame.instances)
        return PublishedFrame({**frame.stage_ms, "masks": 3.0}, self.picture_error)

    def refuse(self, frame, reason):
        self.refused.append(reason)


class Bench:
    """A worker with two sources."""

    def __init__(self, max_batch=0, predictor=None):
        self.predictor = predictor or Predictor()
        self.queue = FrameQueue("ab")
        self.sinks = {"a": Sink(), "b": Sink()}
        self.log, self.lost, self.max_batch = [], [], max_batch

    def serve(self, **messages):
        """Puts one list of messages per source, starts, and waits until all are settled."""
        for source, items in messages.items():
            self.queue.open(source, 99)
            for item in items:
                self.queue.put(source, item)
        self.worker = inference_worker.InferenceWorker(
            self.predictor, self.queue, self.sinks, lambda: 0.5, self.max_batch, self.log.append, self.lost.append
        )
        deadline = time.monotonic() + 120
        while any(self.queue.counts(source).waiting for source in "ab"):
            assert time.monotonic() < deadline
            time.sleep(0.001)
        assert self.queue.close("ab", 10) and self.worker.stop(10)
        return self.queue.counts("a")


@pytest.fixture(autouse=True)
def device(monkeypatch):
    """A dictionary in which the test says whether the device is lost."""
    state = {"lost": ""}
    monkeypatch.setattr(model_loading, "device_failure", lambda device: state["lost"])
    return state


def test_worker_mixed_frames_publishes_or_refuses_and_counts_each():
    bench = Bench()
    bench.predictor.errors["poison"] = RuntimeError("no")
    wrong = [InputError("bad size 5"), StaleFrameError(), "poison", "unpublishable", InputError("bad size 6")]
    counts = bench.serve(a=["one", *wrong, "two"])
    assert counts == FrameCounts(received=7, processed=2, rejected=2, stale=1, failed=2)
    sink = bench.sinks["a"]
    assert sink.published == ["one", "two"] and len(sink.refused) == 5 and sink.refused[-1] == "bad size 6"
    # Once per kind; stale frames are not logged.
    logged = ("bad size 5", "frame failed: RuntimeError: no", "frame failed: RuntimeError: publish")
    assert bench.log == [f"a: {text} (counted in /diagnostics, logged once)" for text in logged]
    assert bench.worker.ignored_rois == 2 * 3  # of the three that were computed
    assert set(bench.worker.stages.percentiles(time.monotonic(), (50,))) == {"convert", "rpn", "masks"}


@pytest.mark.parametrize(
    ("error", "logged"),
    [(RuntimeError("brush"), ["a: picture failed: frame failed: RuntimeError: brush"]), (NodeEndedError(), [])],
)
def test_worker_failed_picture_counts_frame_once(error, logged):
    bench = Bench()
    bench.sinks["a"].picture_error = error
    assert bench.serve(a=["one", "two"]) == FrameCounts(received=2, processed=2)
    assert bench.log == [f"{text} (counted in /diagnostics, logged once)" for text in logged]
    assert not bench.sinks["a"].refused


@pytest.mark.parametrize(("device", "max_batch", "batch"), [("cpu", 0, 1), ("cpu", 2, 2), ("cuda", 0, 2), ("cuda", 1, 1)])
def test_worker_two_sources_batches_where_it_pays(device, max_batch, batch):
    bench = Bench(max_batch, Predictor(device))
    bench.serve(a=["a0", "a1", "a2"], b=["b0", "b1", "b2"])
    assert sorted(image for images in bench.predictor.batches for image in images) == ["a0", "a1", "a2", "b0", "b1", "b2"]
    assert all(len(images) == batch for images in bench.predictor.batches)
    assert bench.sinks["a"].published == ["a0", "a1", "a2"] and bench.sinks["b"].published == ["b0", "b1", "b2"]


def test_worker_failing_batch_computes_frames_singly():
    bench = Bench(2)
    bench.predictor.errors["poison"] = RuntimeError("CUDA out of memory")
    assert bench.serve(a=["poison"], b=["good"]) == FrameCounts(received=1, failed=1)
    assert bench.queue.counts("b") == FrameCounts(received=1, processed=1)
    assert bench.predictor.batches == [["poison", "good"], ["poison"], ["good"]]


def test_worker_lost_device_ends_thread_once(device):
    bench = Bench(2)
    bench.predictor.errors["poison"] = RuntimeError("CUDA error: an illegal memory access was encountered")
    device["lost"] = "CUDA error: an illegal memory access was encountered"
    bench.queue.open("b", 1)
    counts = bench.serve(a=["poison"], b=["good"])
    assert counts.failed == 1 and bench.queue.counts("b").failed == 1
    assert bench.lost == ["CUDA error: an illegal memory access was encountered"]
    assert bench.predictor.batches == [["poison", "good"]]
