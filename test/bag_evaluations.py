# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""A small evaluation: a network that finds the bright rectangles of a picture, some a little off (seed 0), and its run."""

import contextlib
import functools
import json

import numpy as np

from fcis_ros import rle
from fcis_ros.bags.reader import open_recording
from fcis_ros.evaluation.ground_truth import AnnotationFile
from fcis_ros.evaluation.pipeline import network_predictions
from fcis_ros.evaluation.recordings import EvaluationInputs, evaluate
from fcis_ros.evaluation.spec import SCORE_FLOOR, Shard
from fcis_ros.findings import to_json
from fcis_ros.messages.typestore import IMAGE
from fcis_ros.metrics.coco_results import encode_mask
from fcis_ros.results.merge import shard_path
from fcis_ros.results.run_report import write_report
from fcis_ros.results.run_writer import RunWriter
from fcis_ros.structures import Instances, Prediction

NAMES = ("car", "pedestrian")
HEIGHT, WIDTH = 96, 128
OBJECTS = [(4, 6, 40, 30), (60, 10, 50, 60), (20, 60, 14, 20)]  # x, y, w, h


def instances(boxes, scores, labels):
    runs = tuple(rle.encode(np.ones((y2 - y1, x2 - x1), bool)) for x1, y1, x2, y2 in boxes)
    boxes = np.array(boxes, np.int32).reshape(-1, 4)
    return Instances(HEIGHT, WIDTH, boxes, np.array(scores, np.float32), np.array(labels, np.int64), runs, NAMES)


class Network:
    """Finds the rectangles of ``scenes`` with errors that follow from the pixels.

    It ends with an error at call ``fails_at``, and overlooks a share ``blind`` of what it found.
    """

    def __init__(self, fails_at=None, error=KeyboardInterrupt, blind=0.0):
        self.calls, self.fails_at, self.error, self.blind = 0, fails_at, error, blind

    def predict(self, images, score_floor):
        self.calls += 1
        if self.calls == self.fails_at:
            raise self.error
        (image,) = images
        rng = np.random.default_rng(int(image.sum()))
        boxes, scores = [], []
        for x, y, w, h in OBJECTS:
            if image[y + 1, x + 1].min() > 200 and rng.random() < 0.9:
                left, top = x + rng.integers(0, 3), y + rng.integers(0, 3)
                score = rng.uniform(0.1, 1)
                if rng.random() >= self.blind:
                    boxes.append((left, top, left + w, top + h))
                    scores.append(score)
        order = np.argsort(-np.array(scores), kind="stable")
        labels = [1 + int(boxes[i][0] > 50) for i in order]
        return [Prediction(instances([boxes[i] for i in order], [scores[i] for i in order], labels), {"all": 1.0}, 0)]


def make_scenes(bags):
    """A bag of twelve frames and the content of its annotations."""
    rng = np.random.default_rng(0)
    images, annotations, entries = [], [], []
    for index in range(12):
        pixels = rng.integers(0, 100, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        images.append({"id": 100 - index, "file_name": f"{index}.png", "height": HEIGHT, "width": WIDTH})
        for number, (x, y, w, h) in enumerate(OBJECTS):
            if rng.random() < 0.7:
                pixels[y : y + h, x : x + w] = 230
                mask = np.zeros((HEIGHT, WIDTH), bool)
                mask[y : y + h, x : x + w] = True
                category = 9 if number == 1 else 5
                annotations.append({"image_id": 100 - index, "category_id": category, "segmentation": encode_mask(mask)})
        entries.append(("/cam", IMAGE, bags.image(pixels, bags.START + index), bags.START + index))
    categories = [{"id": 5, "name": "car"}, {"id": 9, "name": "pedestrian"}, {"id": 11, "name": "tram"}]
    return entries, {"images": images, "annotations": annotations, "categories": categories}


def run(bag, annotations, folder, network=None, score=0.5, shard=None, findings=()):
    shard = shard or Shard()
    recordings = [open_recording(bag)]
    truth = AnnotationFile(annotations, NAMES, recordings[0].named, recordings[0].count) if annotations else None
    inputs = EvaluationInputs(recordings, truth and [truth], NAMES)
    spec = {
        "mode": "offline",
        "bags": [{"path": str(bag), "topic": "/cam", "messages": recordings[0].count}],
        "shard": [shard.number, shard.count], "class_names": list(NAMES),
        "category_ids": inputs.category_ids, "score_floor": 0.02, "score": score, "device": "cpu",
        "precision": "fp32", "model": {"name": "stand-in", "sha256": "0"},
        "truth": truth and {"file": annotations.name, "matched_by": truth.matched_by},
        "findings": to_json(findings),
    }  # fmt: skip
    writer = RunWriter(folder, spec)
    predict = functools.partial(network_predictions, network or Network(), SCORE_FLOOR)
    try:
        with writer, contextlib.closing(evaluate(inputs, shard, predict, writer, score)) as frames:
            for _ in frames:
                pass
    finally:
        report = write_report(folder)
    return report


def run_shards(bag, annotations, folder, count, numbers=None, **options):
    for number in numbers or range(1, count + 1):
        run(bag, annotations, shard_path(folder, number, count), shard=Shard(number, count), **options)


def counted(index, true_positives=0, false_positives=0, false_negatives=0, largest=0.0, **fields):
    """The record of a frame with these counts from score 0.5."""
    counts = [0.5, true_positives, false_positives, false_negatives, largest, true_positives + false_positives]
    return {"bag": 0, "index": index, "moment": 0, "problem": None, "truth": 1, "rates": counts, "objects": [], **fields}


def written(path, content, **changes):
    path.write_text(json.dumps({**content, **changes}))
    return path


def change_json(path, change):
    """Lets a function change the content of a file."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
