# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Frames of recordings through the pipeline into the folder of a run. The same input gives the same bytes every time."""

import itertools
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from fcis_ros.bags.reader import BagFrame, Recording
from fcis_ros.errors import InputError
from fcis_ros.evaluation.ground_truth import GroundTruth, UnusableGroundTruth
from fcis_ros.evaluation.pipeline import DamagedRecording, Predict, PredictedFrame, predicted_frames
from fcis_ros.evaluation.spec import Shard
from fcis_ros.evaluation.threads import write_behind
from fcis_ros.findings import Finding
from fcis_ros.metrics.average_precision import NO_MATCHES
from fcis_ros.metrics.coco_results import to_results, with_text
from fcis_ros.metrics.matching import match_image
from fcis_ros.results.frame_record import with_matches
from fcis_ros.results.frame_selection import TIME_BINS
from fcis_ros.results.gallery import Gallery
from fcis_ros.results.run_writer import RunWriter

# Image ids of frames without one: this times the recording's index, plus the frame's index from 1; likewise ids of objects.
BAG_IDS, OBJECT_IDS = 100_000_000, 10_000


@dataclass(frozen=True)
class EvaluationInputs:
    """Opened inputs of an evaluation.

    Attributes:
        recordings: recordings, in order.
        ground_truth: ground truth of each recording; None without.
        class_names: classes of the model.
    """

    recordings: Sequence[Recording]
    ground_truth: Sequence[GroundTruth] | None
    class_names: tuple[str, ...]

    @property
    def category_ids(self) -> list[int]:
        """Category id of each class in the files of the run."""
        return list(self.ground_truth[0].category_ids if self.ground_truth else range(1, len(self.class_names) + 1))

    @property
    def findings(self) -> list[Finding]:
        """What is lost of the recordings and of the ground truth, and remarks; each once."""
        inputs: list[Recording | GroundTruth] = [*self.recordings, *(self.ground_truth or ())]
        return list(dict.fromkeys(finding for source in inputs for finding in source.findings))

    def slices(self, shard: Shard) -> list[tuple[int, int]]:
        """Returns the range [start, stop) of frames of each recording that belongs to a shard."""
        count = len(self.recordings)
        return [shard.slice(index, count, recording.count) for index, recording in enumerate(self.recordings)]


def evaluate(
    inputs: EvaluationInputs, shard: Shard, predict: Predict[BagFrame], run: RunWriter, score: float
) -> Generator[PredictedFrame[BagFrame], None, None]:
    """Adds the frames that a run lacks yet, and yields each once it is written. Close the generator before the run.

    Args:
        inputs: opened inputs.
        shard: shard to compute.
        predict: source of predictions.
        run: folder to fill.
        score: score threshold of pictures and counts.

    Raises:
        InputError: files of recordings cannot be read any more (the frames before and all other recordings are evaluated), or
            the ground truth does not fit.
        OSError: the disk is full.
    """
    writer = FrameWriter(run, inputs.category_ids, score)
    done = Counter(record["bag"] for record in run.frames())
    damage: list[str] = []
    for index, (recording, (start, stop)) in enumerate(zip(inputs.recordings, inputs.slices(shard), strict=True)):
        if start + done[index] >= stop:
            continue
        frames = itertools.islice(recording.frames(), start + done[index], stop)
        ground_truth = inputs.ground_truth[index] if inputs.ground_truth else None
        write = partial(writer.write, index, recording, ground_truth)
        try:
            yield from write_behind(predicted_frames(frames, predict), write)
        except DamagedRecording as error:
            damage.append(str(error))
    if damage:
        raise InputError("; ".join(damage))


class FrameWriter:
    """Matches predictions with the ground truth and writes them to a run, in order."""

    def __init__(self, run: RunWriter, category_ids: Sequence[int], score: float):
        self._run, self._category_ids, self._score = run, category_ids, score
        self._known = {record["truth"] for record in run.frames() if record["truth"] is not None}
        self._gallery = Gallery(run.path, score, run.frames())

    def write(
        self, index: int, recording: Recording, ground_truth: GroundTruth | None, predicted: PredictedFrame[BagFrame]
    ) -> None:
        """Writes a frame.

        Args:
            index: index of the recording.
            recording: recording of the frame.
            ground_truth: ground truth of the recording; None without.
            predicted: frame to write.

        A frame whose ground truth is broken cannot be used: with some of its objects missing, right detections would be errors.

        Raises:
            InputError: the ground truth does not fit.
            OSError: the disk is full.
        """
        frame, instances, image = predicted.decoded.frame, predicted.instances, predicted.decoded.image
        problem, annotated = predicted.decoded.problem, None
        try:
            if ground_truth and instances is not None:
                annotated = ground_truth.find(frame, instances.height, instances.width)
        except UnusableGroundTruth as error:
            problem = str(error)
        unique_id = BAG_IDS * index + frame.index + 1
        record: dict[str, Any] = {
            "bag": index, "index": frame.index, "name": frame.name, "stamp": frame.stamp, "log_time": frame.log_time,
            "problem": problem, "moment": frame.index * TIME_BINS // max(recording.count, 1),
            "height": 0, "width": 0, "truth": None, "listed": False, "tracked": False, "repeated": False,
            "other_classes": {}, "own_id": unique_id, "image_id": unique_id,
        }  # fmt: skip
        if instances is None or image is None or problem:
            self._run.add(with_matches(record, NO_MATCHES, self._score), {})
            return
        record |= {"height": instances.height, "width": instances.width, "listed": ground_truth is None}
        objects: list[dict[str, Any]] = []
        if annotated:
            record["repeated"] = annotated.key in self._known
        if annotated and not record["repeated"]:
            self._known.add(annotated.key)
            objects = annotated.objects
            record |= {"truth": annotated.key, "listed": True, "tracked": any("track_id" in entry for entry in objects)}
            record["image_id"] = unique_id if annotated.image_id is None else annotated.image_id
            record["other_classes"] = dict(annotated.other_classes)
        results = to_results(instances, record["image_id"])
        record = with_matches(record, match_image(objects, results), self._score)
        self._gallery.add(record, image, instances, objects)
        list_name = "detections" if record["listed"] else "unannotated"
        self._run.add(record, {list_name: self._result_entries(results), "annotations": self._object_entries(record, objects)})

    def _result_entries(self, results: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Returns results without boxes, so that pycocotools takes areas from the masks for results as for annotations."""
        entries = [{**entry, "category_id": self._category_ids[entry["category_id"] - 1]} for entry in results]
        for entry in entries:
            del entry["bbox"]
        return entries

    def _object_entries(self, record: Mapping[str, Any], objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
        first_id = OBJECT_IDS * (BAG_IDS * record["bag"] + record["index"]) + 1
        return [
            {"id": first_id + offset, "image_id": record["image_id"], **entry,
             "category_id": self._category_ids[entry["category_id"] - 1], "segmentation": with_text(entry["segmentation"])}
            for offset, entry in enumerate(objects)
        ]  # fmt: skip
