# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Ids in hand-made scenes and in synthetic clips with their true identities."""

from collections.abc import Callable, Iterable
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fcis_ros import rle
from fcis_ros.data.synthetic.scenes import CLASS_NAMES, SyntheticScenes
from fcis_ros.metrics.track_scores import TrackEvaluation, TrackScores, mask_overlaps, true_instances
from fcis_ros.model.checkpoint import default_checkpoint
from fcis_ros.model.predictor import Predictor
from fcis_ros.structures import Instances, Sample
from fcis_ros.tracking.tracker import MAX_GAP, MAX_OCCLUDED, Tracker

HEIGHT, WIDTH = 120, 200
CAR, PEDESTRIAN = 1, 2


def instances(*entries: tuple[int, float, tuple[int, int, int, int]], shape=(HEIGHT, WIDTH)) -> Instances:
    """Returns instances with filled boxes, of (label, score, box)."""
    boxes = np.array([box for _, _, box in entries], np.int32).reshape(-1, 4)
    runs = tuple(rle.encode(np.ones((y2 - y1, x2 - x1), bool)) for x1, y1, x2, y2 in boxes)
    labels = np.array([label for label, _, _ in entries], np.int64)
    return Instances(*shape, boxes, np.array([score for _, score, _ in entries], np.float32), labels, runs, CLASS_NAMES)


def track(frames: Iterable[tuple[float, Instances]], tracker: Tracker | None = None) -> list[list[int]]:
    tracker = tracker or Tracker()
    return [tracker.update(frame, seconds, high_score=0.5).tolist() for seconds, frame in frames]


def car(x: int, y: int = 40, score: float = 0.9, width: int = 30, height: int = 20) -> tuple:
    return (CAR, score, (x, y, x + width, y + height))


def test_update_first_frame_counts_from_one_by_score():
    ids = Tracker().update(instances(car(10, score=0.6), car(80, score=0.9)), 0.0, 0.5)
    assert ids.dtype == np.uint32 and ids.tolist() == [2, 1]


@pytest.mark.parametrize(
    ("frames", "ids"),
    [
        ([(car(10), car(80), (PEDESTRIAN, 0.8, (150, 20, 160, 60)))] * 5, [[1, 2, 3]] * 5),
        ([[(CAR, 0.9, (10, 10, 50, 50))], [(PEDESTRIAN, 0.9, (10, 10, 50, 50))]], [[1], [2]]),
        ([[car(10, score=0.4)]], [[0]]),
        ([[car(10)], [car(12, score=0.3), car(100, score=0.3)], [car(14)]], [[1], [1, 0], [1]]),
        ([[car(10)], [car(10, score=0.3), car(18, score=0.9)]], [[1], [0, 1]]),
        ([[], [car(1)], [], [car(1)]], [[], [1], [], [1]]),
    ],
    ids=["equal masks", "other class", "low score", "low score continues", "high score is matched first", "empty frames"],
)
def test_update_frames_give_ids(frames, ids):
    assert track((0.1 * number, instances(*frame)) for number, frame in enumerate(frames)) == ids


def test_update_gap_continues_at_constant_velocity():
    """At 60 pixels per second, half a second without an instance is the length of the car."""
    frames = [(0.1 * step, instances(car(5 + 6 * step))) for step in range(5)]
    frames += [(0.1 * step, instances()) for step in range(5, 10)]
    assert track([*frames, (1.0, instances(car(65)))])[-1] == [1]
    assert track([*frames, (1.0, instances(car(5)))])[-1] == [2]  # the position before the gap


def test_update_gap_is_limited_in_seconds():
    for rate in (5, 50):
        gone = [(0.1 + step / rate, instances()) for step in range(1, int(MAX_GAP * rate))]
        first = [(0.0, instances(car(10))), (0.1, instances(car(10)))]
        assert track([*first, *gone, (0.1 + MAX_GAP - 0.01, instances(car(10)))])[-1] == [1]
        assert track([*first, *gone, (0.1 + MAX_GAP + 0.01, instances(car(10)))])[-1] == [2]


def test_update_equal_boxes_are_matched_by_masks():
    """Two interlocking L shapes have the same box."""
    upper = np.zeros((40, 40), bool)
    upper[:10], upper[:, :10] = True, True
    lower = ~upper
    runs, box = (rle.encode(upper), rle.encode(lower)), [20, 20, 60, 60]

    def frame(order):
        boxes, scores, labels = np.array([box, box], np.int32), np.array([0.9, 0.8], np.float32), np.array([CAR, CAR])
        return Instances(HEIGHT, WIDTH, boxes, scores, labels, tuple(runs[i] for i in order), CLASS_NAMES)

    assert track([(0.0, frame((0, 1))), (0.1, frame((1, 0)))]) == [[1, 2], [2, 1]]


def test_update_occluded_pedestrian_keeps_id():
    """A pedestrian stands for two seconds behind a car that ends lower in the picture."""
    person, near = (PEDESTRIAN, 0.9, (90, 30, 102, 60)), (CAR, 0.9, (70, 20, 140, 90))
    frames = [(0.1 * step, instances(person)) for step in range(3)]
    frames += [(0.1 * step, instances(near)) for step in range(3, 25)]
    assert track([*frames, (2.5, instances(person))])[-1] == [1]
    far = (CAR, 0.9, (70, 0, 140, 50))  # ends higher, so it does not occlude the pedestrian
    frames = frames[:3] + [(seconds, instances(far)) for seconds, _ in frames[3:]]
    assert track([*frames, (2.5, instances(person))])[-1] == [3]


def test_update_long_occlusion_ends_track():
    person, near = (PEDESTRIAN, 0.9, (90, 30, 102, 60)), (CAR, 0.9, (70, 20, 140, 90))
    frames = [(0.0, instances(person))] + [(0.1 * step, instances(near)) for step in range(1, int(10 * MAX_OCCLUDED))]
    assert track([*frames, (MAX_OCCLUDED + 0.1, instances(person))])[-1] == [3]


def test_update_half_occluded_mask_keeps_id():
    person, near = (PEDESTRIAN, 0.9, (90, 30, 110, 60)), (CAR, 0.9, (98, 20, 160, 90))
    part = (PEDESTRIAN, 0.9, (90, 30, 98, 60))
    frames = [(0.0, instances(person)), (0.1, instances(part, near)), (0.2, instances(part, near)), (0.3, instances(person))]
    assert [ids[0] for ids in track(frames)] == [1, 1, 1, 1]


def test_update_earlier_stamp_or_other_size_begins_new_ids():
    tracker, found = Tracker(), instances(car(10))
    assert track([(5.0, found), (5.1, found), (1.0, found), (1.1, found)], tracker) == [[1], [1], [2], [2]]
    larger = Instances(240, 400, found.boxes, found.scores, found.labels, found.runs, CLASS_NAMES)
    assert track([(1.2, larger), (1.2, larger)], tracker) == [[3], [3]]
    tracker.reset()
    assert track([(1.3, larger)], tracker) == [[4]]


@st.composite
def sequences(draw) -> list[tuple[float, Instances]]:
    """Frames of boxes on a coarse grid, so that ties and equal instances are common."""
    entry = st.tuples(st.integers(1, 2), st.sampled_from((0.3, 0.6, 0.9)), st.integers(0, 8), st.integers(0, 4))
    frames = draw(st.lists(st.lists(entry, max_size=6), min_size=1, max_size=6))
    boxes = [[(label, score, (10 * x, 10 * y, 10 * x + 40, 10 * y + 30)) for label, score, x, y in frame] for frame in frames]
    return [(0.2 * number, instances(*frame)) for number, frame in enumerate(boxes)]


def described(found: Instances, ids: list[int]) -> list[tuple]:
    return sorted(zip(found.labels.tolist(), found.scores.tolist(), map(tuple, found.boxes.tolist()), ids, strict=True))


@given(sequences(), st.randoms(use_true_random=False))
def test_update_order_of_instances_does_not_matter(frames, random):
    orders = [sorted(range(len(found)), key=lambda _: random.random()) for _, found in frames]
    shuffled = [(seconds, found.select(np.array(order, int))) for (seconds, found), order in zip(frames, orders, strict=True)]
    plain, other = track(frames), track(shuffled)
    for (_, found), ids, (_, mixed), mixed_ids in zip(frames, plain, shuffled, other, strict=True):
        assert described(found, ids) == described(mixed, mixed_ids)


@given(sequences())
def test_update_ids_are_unique_in_frame_and_keep_class(frames):
    classes = {}
    for (_, found), ids in zip(frames, track(frames), strict=True):
        used = [track_id for track_id in ids if track_id]
        assert len(set(used)) == len(used)
        assert all(track_id for track_id, score in zip(ids, found.scores, strict=True) if score >= 0.5)
        for track_id, label in zip(ids, found.labels.tolist(), strict=True):
            assert not track_id or classes.setdefault(track_id, label) == label


@lru_cache(1)
def clip(seed: int, frames: int = 200) -> list[Sample]:
    """20 s of a street at 10 Hz."""
    return list(SyntheticScenes(seed).clip(0, frames, 10.0))


def follow(
    clip: list[Sample], predict: Callable[[Sample], Instances], minimum_area: int, blind: range = range(0)
) -> TrackScores:
    """Returns the scores of objects from a minimum area; frames ``blind`` have no instances, and do not count."""
    tracker, evaluation = Tracker(), TrackEvaluation()
    for index, sample in enumerate(clip):
        truth = true_instances(sample, CLASS_NAMES)
        frame = predict(sample)
        if index in blind:
            tracker.update(frame.select(np.zeros(0, int)), index / 10, 0.5)
            continue
        ids = tracker.update(frame, index / 10, 0.5)
        frame, ids = frame.select(ids > 0), ids[ids > 0]
        counted = np.array([runs[1::2].sum() >= minimum_area for runs in truth.runs], bool)
        evaluation.add(sample.ids, ids, mask_overlaps(truth, frame), counted)
    return evaluation.scores()


@pytest.mark.parametrize("blind", [range(0), range(60, 65)], ids=["all", "blind"])
@pytest.mark.parametrize(("seed", "minimum_area"), [(0, 100), (1, 100), (5, 100), (8, 300)])
def test_update_true_masks_of_clip_switch_at_most_once(seed, minimum_area, blind):
    """Also when five frames on the way show nothing. Among them a row of parked cars (5) and a street with lorries (8)."""
    scores = follow(clip(seed), lambda sample: true_instances(sample, CLASS_NAMES), minimum_area, blind)
    assert scores.objects > (900 if minimum_area == 100 else 700) and scores.switches <= 1 and scores.idf1 > 0.99


@pytest.mark.slow
def test_update_of_a_model_that_knows_rendered_streets_keeps_scores():
    weights = default_checkpoint().with_name("fcis_road_r18.safetensors")
    predictor = Predictor.from_checkpoint(weights, "cpu", precision="fp32")
    scores = follow(clip(1, 60), lambda sample: predictor(sample.image, 0.25), 300)
    assert scores.matched > 200 and scores.switches <= 3 and scores.idf1 > 0.65  # measured: 262, 3 and 0.78


@pytest.mark.parametrize("seconds", [float("nan"), float("inf")])
def test_update_not_finite_stamp_is_refused(seconds):
    with pytest.raises(ValueError, match="seconds"):
        Tracker().update(instances(), seconds, 0.5)
