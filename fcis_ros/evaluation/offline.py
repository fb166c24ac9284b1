# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Offline evaluation: every frame of recordings through the network, no ROS needed, the same bytes every time.

A thread reads and decodes ahead, another one compares and writes behind; the network never waits for either.
"""

import itertools
import queue
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Protocol

import numpy as np

from fcis_ros.bags.reader import BagFrame, Recording
from fcis_ros.errors import InputError
from fcis_ros.evaluation.recording_ground_truth import FrameTruth
from fcis_ros.metrics.average_precision import NOTHING
from fcis_ros.metrics.coco_results import to_results, with_text
from fcis_ros.metrics.matching import match_image
from fcis_ros.results.frame_record import with_rates
from fcis_ros.results.frame_selection import MOMENTS
from fcis_ros.results.gallery import Gallery
from fcis_ros.results.store import COMPLETE, FAILED, INTERRUPTED, PICTURES, RunFolder, read_frames
from fcis_ros.structures import Instances, Prediction

SCORE_FLOOR = 0.02  # what lies below it changes AP by less than 0.001
AHEAD = 4  # frames decoded, and answers not yet written
# Ids of frames that have none: this times the recording's number, plus their place from 1; likewise those of a frame's objects.
BAG_IDS, OBJECT_IDS = 100_000_000, 10_000


class Network(Protocol):
    """What answers; ``model.predictor.Predictor``."""

    def predict(self, images: Sequence[np.ndarray], score_floor: float) -> list[Prediction]: ...


@dataclass(frozen=True)
class Shard:
    """Part ``number`` of ``count``, from 1. Every recording counts as long as any other, so that no other need be opened."""

    number: int
    count: int

    def slice(self, bag: int, bags: int, frames: Callable[[], int]) -> tuple[int, int]:
        """The frames [start, stop) of a recording that belong to this part.

        Args:
            bag: which recording, from 0.
            bags: how many there are.
            frames: how many it holds; called only if the part cuts it.
        """
        first, last = (Fraction(own * bags, self.count) - bag for own in (self.number - 1, self.number))
        if last <= 0 or first >= 1:
            return 0, 0
        count = frames()
        return int(count * max(first, 0)), int(count * min(last, 1))


@dataclass
class Timing:
    """Seconds of an evaluation: not part of its result, which is the same every time."""

    frame_ms: list[float] = field(default_factory=list)
    stages: dict[str, list[float]] = field(default_factory=dict)
    seconds: float = 0.0


def evaluate(
    recordings: Sequence[Recording],
    shard: Shard,
    network: Network,
    truths: Sequence[FrameTruth] | None,
    class_names: Sequence[str],
    category_ids: Sequence[int],
    folder: RunFolder,
    score: float,
    timing: Timing,
    progress: Callable[[int], None] = lambda frames: None,
) -> None:
    """Fills the folder with the frames that are not in it yet, and notes how it ended.

    Args:
        recordings: all of them, in order.
        shard: the part to do.
        network: what finds instances.
        truths: of each recording, or None.
        class_names: of the network.
        category_ids: of each class in the files written.
        folder: takes the frames.
        score: pictures show instances from this score, and are chosen by them.
        timing: gets what the frames took.
        progress: called with the number of frames done.

    Raises:
        InputError: recordings are damaged further on (what comes before that, and all others, are evaluated), or the truth does
            not fit.
        OSError: the disk is full; likewise.
    """
    started = time.monotonic()
    writing = _Writing(folder, class_names, category_ids, score)
    done = Counter(frame["bag"] for frame in read_frames(folder.path))
    progress(folder.count)
    state, problem = INTERRUPTED, None
    damage: list[str] = []
    try:
        for bag, recording in enumerate(recordings):
            start, stop = shard.slice(bag, len(recordings), lambda recording=recording: recording.count)
            if start + done[bag] >= stop and (stop < recording.count or not recording.damage):
                continue
            end = None if stop == recording.count else stop  # to the very end, where damage is found
            records = itertools.islice(recording.records(), start + done[bag], end)
            answers = _answers(_ahead(records), network, timing)
            try:
                _write_behind(answers, writing.of(bag, recording, truths[bag] if truths else None), progress)
            except DamagedRecording as error:
                damage.append(str(error))
        if damage:
            raise InputError("; ".join(damage))
        state = COMPLETE
    except InputError as error:
        state, problem = FAILED, str(error)
        raise
    finally:
        timing.seconds = time.monotonic() - started
        folder.close(writing.categories())
        folder.state(state, problem)


class DamagedRecording(InputError):
    """A recording cannot be read any further."""


Decoded = tuple[BagFrame, np.ndarray | None, str | None]  # image, or why there is none
Answer = tuple[BagFrame, np.ndarray | None, Instances | None, str | None]


def _answers(decoded: Iterator[Decoded], network: Network, timing: Timing) -> Iterator[Answer]:
    """Records with image and instances, or with the problem."""
    for record, image, problem in decoded:
        if image is None:
            yield record, None, None, problem
            continue
        began = time.perf_counter()
        (prediction,) = network.predict([image], SCORE_FLOOR)
        timing.frame_ms.append((time.perf_counter() - began) * 1000)
        for stage, milliseconds in prediction.stage_ms.items():
            timing.stages.setdefault(stage, []).append(milliseconds)
        yield record, image, prediction.instances, None


def _write_behind(answers: Iterator[Answer], write: Callable[..., None], progress: Callable[[int], None]) -> None:
    """Writes in a thread; what was answered before an error is written, too."""
    pending: deque[Future] = deque()
    with ThreadPoolExecutor(1) as behind:
        try:
            for answer in answers:
                pending.append(behind.submit(write, *answer))
                if len(pending) > AHEAD:
                    pending.popleft().result()
                    progress(1)
        finally:
            while pending:
                pending.popleft().result()
                progress(1)


def _ahead(records: Iterator[BagFrame]) -> Iterator[Decoded]:
    """Records with their images, or why those cannot be used, decoded in a thread."""
    waiting: queue.Queue = queue.Queue(AHEAD)
    ended = threading.Event()

    def put(item) -> bool:
        while not ended.is_set():
            try:
                waiting.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def read() -> None:
        try:
            for record in records:
                try:
                    item = (record, record.image(), None)
                except InputError as error:
                    item = (record, None, str(error))
                if not put(item):
                    return
            put(None)
        except InputError as error:
            put(DamagedRecording(str(error)))
        except BaseException as error:  # noqa: BLE001 (goes on in the thread that reads the queue)
            put(error)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        while (item := waiting.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        ended.set()
        thread.join()


class _Writing:
    """Compares answers with the truth and writes them, in order."""

    def __init__(self, folder: RunFolder, class_names: Sequence[str], category_ids: Sequence[int], score: float):
        self._folder, self._class_names, self._categories = folder, class_names, list(category_ids)
        self._known = {frame["truth"] for frame in read_frames(folder.path) if frame["truth"] is not None}
        self._album = Gallery(folder.path / PICTURES, score, read_frames(folder.path))
        self._score, self._failed = score, False

    def categories(self) -> list[dict[str, Any]]:
        """Of annotations.json."""
        return [{"id": own, "name": name} for own, name in zip(self._categories, self._class_names, strict=True)]

    def of(self, bag: int, recording: Recording, truth: FrameTruth | None) -> Callable[..., None]:
        """What writes the answers of one recording."""

        def write(record: BagFrame, image: np.ndarray | None, found: Instances | None, problem: str | None) -> None:
            if self._failed:
                return  # no frame behind one that is missing
            self._failed = True
            moment = record.index * MOMENTS // max(recording.count, 1)
            frame = {
                "bag": bag, "index": record.index, "name": record.name, "stamp": record.stamp, "log_time": record.log_time,
                "problem": problem, "moment": moment, "height": 0, "width": 0, "truth": None, "listed": False, "tracked": False,
                "repeated": False, "own_id": BAG_IDS * bag + record.index + 1, "image_id": BAG_IDS * bag + record.index + 1,
            }  # fmt: skip
            if found is None:
                self._folder.add(with_rates(frame, NOTHING, self._score), {})
            else:
                self._write(frame, record, image, found, truth)
            self._failed = False

        return write

    def _write(
        self, frame: dict[str, Any], record: BagFrame, image: np.ndarray, found: Instances, truth: FrameTruth | None
    ) -> None:
        frame |= {"height": found.height, "width": found.width, "listed": truth is None}
        annotated = truth.find(record, found.height, found.width) if truth else None
        if annotated:
            frame["repeated"] = annotated.key in self._known
        if annotated and not frame["repeated"]:
            self._known.add(annotated.key)
            frame |= {"truth": annotated.key, "listed": True}
            frame["image_id"] = frame["image_id"] if annotated.image_id is None else annotated.image_id
        objects = annotated.objects if frame["truth"] is not None else []
        frame["tracked"] = any("track_id" in own for own in objects)
        results = to_results(found, frame["image_id"])
        frame = with_rates(frame, match_image(objects, results), self._score)
        self._album.offer(frame, image, found, objects)
        # Without boxes, so that pycocotools takes areas from the masks for results as it does for annotations.
        results = [{**own, "category_id": self._categories[own["category_id"] - 1]} for own in results]
        for own in results:
            del own["bbox"]
        first = OBJECT_IDS * (BAG_IDS * frame["bag"] + frame["index"]) + 1
        objects = [
            {"id": first + place, "image_id": frame["image_id"], **own, "category_id": self._categories[own["category_id"] - 1],
             "segmentation": with_text(own["segmentation"])}
            for place, own in enumerate(objects)
        ]  # fmt: skip
        self._folder.add(frame, {"detections" if frame["listed"] else "unannotated": results, "annotations": objects})
