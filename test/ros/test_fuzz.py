# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Many hostile frames, from the queue to the network; ``make soak`` sends 100 000."""

import os
import time
from types import SimpleNamespace

import cv2
import numpy as np

from fcis_ros.messages import image_messages
from fcis_ros.ros import inference_worker
from fcis_ros.ros.frame_queue import FrameQueue, StaleFrameError
from fcis_ros.ros.header_checks import HeaderCheck, nanoseconds
from fcis_ros.ros.inference_worker import PublishedFrame

FRAMES = int(os.environ.get("FCIS_FUZZ_FRAMES", "2000"))
GOOD = np.full((6, 8, 3), 77, np.uint8)
STAMPS = (0, 1, -1, 2**31 - 1, -(2**31), 1_700_000_000)


class Predictor:
    """Checks the shape of its input only."""

    name, device = "model", SimpleNamespace(type="cpu")

    def predict(self, images, score_floor):
        for image in images:
            assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
        return [SimpleNamespace(instances=image, stage_ms={}, ignored_rois=0) for image in images]


class Sink:
    """A camera without ROS."""

    def __init__(self):
        self.answers, self.refusals, self.check = [], 0, HeaderCheck()

    def decode(self, frame):
        verdict = self.check(frame.message.header)
        assert all("\n" not in problem for problem in verdict.problems) and verdict.jumped_back >= 0
        if nanoseconds(frame.message.header.stamp) < -(2**40):
            raise StaleFrameError
        return (image_messages.compressed_to_rgb if hasattr(frame.message, "format") else image_messages.to_rgb)(frame.message)

    def publish(self, frame):
        self.answers.append((frame.queued.message, frame.image.shape))
        return PublishedFrame(frame.stage_ms)

    def refuse(self, frame, reason):
        self.refusals += 1
        assert reason and "\n" not in reason


def header(random) -> SimpleNamespace:
    stamp = SimpleNamespace(sec=int(random.choice(STAMPS)), nanosec=int(random.choice((0, 1, 999_999_999, 2**32 - 1))))
    return SimpleNamespace(stamp=stamp, frame_id=str(random.choice(("", "camera"))))


def raw(random) -> SimpleNamespace:
    """Sizes that often fit and often do not."""
    width, height = (int(value) for value in random.integers(0, 10, 2))
    encoding = str(random.choice((*image_messages.ENCODINGS, "", "jpeg", "32FC1", "nv24", "rgb8\n")))
    step = width * int(random.choice((1, 2, 3, 4, 6, 8))) + int(random.choice((0, 0, 0, 5)))
    size = step * height * int(random.choice((1, 1, 3))) // int(random.choice((1, 1, 2))) + int(random.choice((0, 0, 0, 1)))
    if random.random() < 0.02:
        width, height, step = (int(value) for value in random.choice((0, 1, 2**31, 2**32 - 1), 3))
    data = random.integers(0, 256, size, dtype=np.uint8).tobytes()
    big = int(random.integers(0, 2))
    return SimpleNamespace(
        header=header(random), width=width, height=height, step=step, encoding=encoding, is_bigendian=big, data=data
    )


def compressed(random, pictures) -> SimpleNamespace:
    """A picture with some bytes changed, cut off, or no picture at all."""
    data = bytearray(pictures[random.integers(len(pictures))])
    for _ in range(int(random.integers(0, 8))):
        data[int(random.integers(30, len(data)))] = int(random.integers(0, 256))  # behind the size in a PNG's head
    if random.random() < 0.3:
        data = data[: int(random.integers(0, len(data)))]
    kind = str(random.choice(("jpeg", "png", "", "rgb8; jpeg compressed bgr8", "16UC1; compressedDepth png", "\n")))
    return SimpleNamespace(header=header(random), format=kind, data=bytes(data))


def test_worker_hostile_frames_are_refused_and_good_ones_served():
    random = np.random.default_rng(7)
    noise = random.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    pictures = [cv2.imencode(kind, noise)[1].tobytes() for kind in (".jpg", ".png")]
    queue, sink, log = FrameQueue(["camera"]), Sink(), []
    queue.open("camera", 1000)
    worker = inference_worker.InferenceWorker(Predictor(), queue, {"camera": sink}, lambda: 0.5, 0, log.append, log.append)
    good = SimpleNamespace(
        header=header(random), width=8, height=6, step=24, encoding="rgb8", is_bigendian=0, data=GOOD.tobytes()
    )
    good.header.stamp.sec = 5
    for index in range(FRAMES):
        while queue.counts("camera").waiting >= 900:  # so that none is overwritten
            time.sleep(0.001)
        queue.put("camera", compressed(random, pictures) if index % 2 else raw(random))
        if index % 100 == 99:
            queue.put("camera", good)
    while queue.counts("camera").waiting:
        time.sleep(0.001)
    assert queue.close(["camera"], 10) and worker.stop(10)
    counts = queue.counts("camera")
    assert counts.received == FRAMES + FRAMES // 100 and counts.failed == counts.overwritten == 0
    assert counts.processed + counts.rejected + counts.stale == counts.received
    assert len(sink.answers) == counts.processed and sink.refusals == counts.rejected + counts.stale
    assert sum(message is good for message, _ in sink.answers) == FRAMES // 100
    assert counts.rejected > FRAMES / 10 and counts.processed > FRAMES / 20  # both kinds occur
    assert len(log) <= inference_worker.KINDS_LOGGED and all("\n" not in line for line in log)
