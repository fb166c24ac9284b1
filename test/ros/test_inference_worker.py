# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The worker with a predictor that does what it is told."""

import time
from types import SimpleNamespace

import numpy as np
import pytest

from fcis_ros.errors import InputError
from fcis_ros.model.checkpoint import default_checkpoint
from fcis_ros.ros import inference_worker
from fcis_ros.ros.frame_queue import FrameCounts, FrameQueue, StaleFrameError


class Predictor:
    """Answers with the images' names; images named in ``errors`` raise."""

    def __init__(self, device="cpu"):
        self.device = SimpleNamespace(type=device)
        self.errors, self.batches = {}, []

    def predict(self, images, score_floor):
        self.batches.append(list(images))
        for image in images:
            if image in self.errors:
                raise self.errors[image]
        return [SimpleNamespace(instances=image, stage_ms={"rpn": 1.0}, ignored_rois=2) for image in images]


class Outlet:
    def __init__(self):
        self.answered, self.refused, self.broken_pictures = [], [], False

    def image_of(self, frame):
        if isinstance(frame.message, Exception):
            raise frame.message
        return frame.message

    def answer(self, frame, image, found):
        if image == "unpublishable":
            raise RuntimeError("publish")
        self.answered.append(found)
        return found

    def picture(self, frame, image, kept, device):
        if self.broken_pictures:
            raise RuntimeError("brush")
        return {"overlay": 3.0}

    def timed(self, frame, times):
        self.times = times

    def refuse(self, frame, reason):
        self.refused.append(reason)


class Bench:
    """An engine with two sources."""

    def __init__(self, max_batch=0, predictor=None):
        self.predictor = predictor or Predictor()
        self.inbox = FrameQueue("ab")
        self.outlets = {"a": Outlet(), "b": Outlet()}
        self.log, self.lost, self.max_batch = [], [], max_batch

    def serve(self, **messages):
        """Puts one list of messages per source, starts, and waits until all are settled."""
        for source, items in messages.items():
            self.inbox.open(source, 99)
            for item in items:
                self.inbox.put(source, item)
        self.engine = inference_worker.InferenceWorker(
            self.predictor, self.inbox, self.outlets, lambda: 0.5, self.max_batch, self.log.append, self.lost.append
        )
        deadline = time.monotonic() + 120
        while any(self.inbox.counts(source).waiting for source in "ab"):
            assert time.monotonic() < deadline
            time.sleep(0.001)
        assert self.inbox.close("ab", 10) and self.engine.stop(10)
        return self.inbox.counts("a")


@pytest.fixture(autouse=True)
def device(monkeypatch):
    """The test says whether the device is lost."""
    state = {"lost": ""}
    monkeypatch.setattr(inference_worker, "lost", lambda device: state["lost"])
    return state


def test_every_frame_is_answered_or_refused_and_counted():
    bench = Bench()
    bench.predictor.errors["poison"] = RuntimeError("no")
    wrong = [InputError("bad size 5"), StaleFrameError(), "poison", "unpublishable", InputError("bad size 6")]
    counts = bench.serve(a=["one", *wrong, "two"])
    assert counts == FrameCounts(received=7, processed=2, rejected=2, stale=1, failed=2)
    assert bench.outlets["a"].answered == ["one", "two"]
    assert len(bench.outlets["a"].refused) == 5 and bench.outlets["a"].refused[-1] == "bad size 6"
    # Once per kind; a stale frame is no news.
    logged = ("bad size 5", "frame failed: RuntimeError: no", "frame failed: RuntimeError: publish")
    assert bench.log == [f"a: {text} (counted in /diagnostics, logged once)" for text in logged]
    assert bench.engine.ignored_rois == 2 * 3  # of the three that were computed


def test_a_picture_that_fails_does_not_count_the_frame_twice():
    bench = Bench()
    bench.outlets["a"].broken_pictures = True
    assert bench.serve(a=["one", "two"]) == FrameCounts(received=2, processed=2)
    assert bench.log == ["a: picture failed: frame failed: RuntimeError: brush (counted in /diagnostics, logged once)"]


@pytest.mark.parametrize(("device", "max_batch", "batch"), [("cpu", 0, 1), ("cpu", 2, 2), ("cuda", 0, 2), ("cuda", 1, 1)])
def test_frames_of_different_cameras_are_batched_where_it_pays(device, max_batch, batch):
    bench = Bench(max_batch, Predictor(device))
    bench.serve(a=["a0", "a1", "a2"], b=["b0", "b1", "b2"])
    assert sorted(image for images in bench.predictor.batches for image in images) == ["a0", "a1", "a2", "b0", "b1", "b2"]
    assert all(len(images) == batch for images in bench.predictor.batches)
    assert bench.outlets["a"].answered == ["a0", "a1", "a2"] and bench.outlets["b"].answered == ["b0", "b1", "b2"]


def test_a_frame_that_fails_takes_no_other_of_its_batch_with_it():
    """Nor does a batch that is too large for the memory: its frames are computed singly."""
    bench = Bench(2)
    bench.predictor.errors["poison"] = RuntimeError("CUDA out of memory")
    assert bench.serve(a=["poison"], b=["good"]) == FrameCounts(received=1, failed=1)
    assert bench.inbox.counts("b") == FrameCounts(received=1, processed=1)
    assert bench.predictor.batches == [["poison", "good"], ["poison"], ["good"]]


def test_a_lost_device_ends_the_work_once(device):
    bench = Bench(2)
    bench.predictor.errors["poison"] = RuntimeError("CUDA error: an illegal memory access was encountered")
    device["lost"] = "CUDA error: an illegal memory access was encountered"
    bench.inbox.open("b", 1)
    counts = bench.serve(a=["poison"], b=["good"])
    assert counts.failed == 1 and bench.inbox.counts("b").failed == 1
    assert bench.lost == ["CUDA error: an illegal memory access was encountered"]
    assert bench.predictor.batches == [["poison", "good"]]


def test_a_cpu_is_never_lost_and_a_gpu_when_it_does_not_answer(monkeypatch):
    import torch

    monkeypatch.undo()
    assert inference_worker.lost(torch.device("cpu")) == ""

    def dead(device):
        raise RuntimeError("CUDA error: unspecified launch failure\nand more")

    monkeypatch.setattr(torch.cuda, "synchronize", dead)
    assert inference_worker.lost(torch.device("cuda:0")) == "CUDA error: unspecified launch failure"
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: None)
    assert inference_worker.lost(torch.device("cuda:0")) == ""


def test_loading_reports_progress_and_the_hash(tiny_checkpoint):
    import hashlib

    steps = []
    predictor, digest = inference_worker.load(str(tiny_checkpoint), "cpu", 0, "fp32", steps.append)
    assert [step[:3] for step in steps] == ["1/3", "2/3", "3/3"] and predictor.name == "tiny"
    assert digest == hashlib.sha256(tiny_checkpoint.read_bytes()).hexdigest()[:12]
    with pytest.raises(InputError, match="no such file"):
        inference_worker.load("nowhere.safetensors", "cpu", 0, "fp32", steps.append)
    inference_worker.free()


def test_pictures_are_arrays_in_the_real_thing(tiny_checkpoint):
    """The seam to the real predictor: a list of images in, predictions out."""
    predictor, _ = inference_worker.load(str(tiny_checkpoint), "cpu", 0, "fp32", lambda step: None)
    images = [np.full((40, 60, 3), 90, np.uint8), np.full((50, 50, 3), 30, np.uint8)]
    first, second = predictor.predict(images, 0.1)
    assert (first.instances.height, second.instances.width) == (40, 50)
    assert first.ignored_rois == 0 and "backbone" in first.stage_ms


FREED = """
import gc
import warnings

import numpy as np
import torch

import fcis_ros.model.checkpoint
from fcis_ros.model.predictor import Predictor
from fcis_ros.ros import inference_worker


def anonymous() -> int:
    lines = open("/proc/self/smaps_rollup").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Anonymous:"))


before, image = anonymous(), np.full((360, 480, 3), 90, np.uint8)
for _ in range(3):
    predictor, _ = inference_worker.load("", "cpu", 0, "fp32", lambda step: None)
    predictor(image)
    loaded = anonymous()
    del predictor
    inference_worker.free()
    print(before, loaded, anonymous())
warnings.simplefilter("ignore")
print(sum(isinstance(thing, torch.Tensor) for thing in gc.get_objects()))
"""


def test_a_dropped_model_is_freed_to_what_pytorch_itself_takes():
    """In a process of its own, where nothing else comes and goes."""
    import subprocess
    import sys

    done = subprocess.run([sys.executable, "-c", FREED], capture_output=True, text=True, timeout=240, check=True)
    *cycles, tensors = done.stdout.splitlines()
    assert tensors == "0" and len(cycles) == 3
    before, loaded, freed = zip(*(map(int, cycle.split()) for cycle in cycles), strict=True)
    weights = default_checkpoint().stat().st_size // 1024  # kB; how much the frame needs beyond them differs from run to run
    for most, least in zip(loaded, freed, strict=True):
        assert most - least > weights and most - least > 0.5 * (most - before[0]), done.stdout
    assert freed[2] < 1.02 * freed[0], done.stdout  # what the first time leaves behind does not grow
