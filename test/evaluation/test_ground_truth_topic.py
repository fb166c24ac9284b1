# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Truth that is recorded beside the frames is the truth that was annotated, ids included."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fcis_ros.bags.reader import open_recording
from fcis_ros.bags.writer import record
from fcis_ros.data.frame_sources import open_source
from fcis_ros.data.segmentation import to_instances
from fcis_ros.errors import InputError
from fcis_ros.evaluation import ground_truth_topic
from fcis_ros.evaluation.clip_ground_truth import ClipGroundTruth
from fcis_ros.evaluation.ground_truth import UnusableGroundTruth
from fcis_ros.evaluation.ground_truth_topic import GroundTruthTopic
from fcis_ros.evaluation.image_ground_truth import ImageGroundTruth
from fcis_ros.messages.mask_serialization import deserialize_masks, serialize_masks
from fcis_ros.messages.typestore import IMAGE, MASKS, TRUTH_TOPIC, message_types
from fcis_ros.metrics.coco_results import encode_mask

NAMES = ("car", "pedestrian")
HEIGHT, WIDTH = 24, 32


def object_(category, x, y, w, h, **more):
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[y : y + h, x : x + w] = True
    mask[y + 1, x + 1] = False
    return {"category_id": category, "segmentation": encode_mask(mask), **more}


def raw_masks(bags, stamp, objects, size=(HEIGHT, WIDTH), ids=None):
    header = bags.image(np.zeros((9, 9, 3), np.uint8), stamp).header
    instances, kept = to_instances(objects, *size, NAMES)
    return bytes(serialize_masks(instances, header, "truth", ids or [0] * len(kept)))


@pytest.fixture
def image(bags):
    return lambda stamp: bags.image(np.full((HEIGHT, WIDTH, 3), 50, np.uint8), stamp)


def found(recording, names=NAMES):
    truth = GroundTruthTopic(recording, "/truth", names)
    return [truth.find(frame, HEIGHT, WIDTH) for frame in recording.frames()]


def test_topic_recorded_annotations_are_read_back(tmp_path, images):
    """By `fcis record`: masks, classes and ids; crowds are left out and counted."""
    content = {
        "images": [{"id": i, "file_name": f"{name}.png", "height": 48, "width": 64} for i, name in ((1, "a"), (2, "b"))],
        "categories": [{"id": 4, "name": "pedestrian"}, {"id": 9, "name": "car"}],
        "annotations": [
            {"image_id": 1, "category_id": 9, "segmentation": [[8, 8, 24, 8, 24, 24, 8, 24]], "track_id": 17},
            {"image_id": 1, "category_id": 4, "segmentation": [[30, 2, 40, 2, 35, 40]], "iscrowd": 0},
            {"image_id": 1, "category_id": 4, "segmentation": [[1, 1, 5, 1, 5, 5]], "iscrowd": 1},
            {"image_id": 2, "category_id": 9, "segmentation": []},
        ],
    }  # fmt: skip
    path = tmp_path / "truth.json"
    path.write_text(json.dumps(content))
    truth = ClipGroundTruth(path)
    recorded = record(open_source(str(images)).frames(), tmp_path / "bag", ground_truth=truth).frames
    crowds, (finding,) = truth.left_out(recorded.values())
    assert crowds == 1 and finding.text.startswith("1 object without a mask in 1 image")
    recording = open_recording(tmp_path / "bag")
    topic = GroundTruthTopic(recording, TRUTH_TOPIC, NAMES)
    first, second = (topic.find(frame, 48, 64) for frame in recording.frames())
    expected = ImageGroundTruth.load(path, NAMES)
    objects = [entry for entry in expected.objects(expected.images[0]) if not entry["iscrowd"]]
    for entry, wanted in zip(first.objects, objects, strict=True):
        assert all(entry.get(key) == wanted.get(key) for key in ("category_id", "track_id", "area", "bbox"))
        assert entry["segmentation"]["counts"].encode() == wanted["segmentation"]["counts"]
    assert second.objects == []


@pytest.fixture
def images(tmp_path):
    import cv2

    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(folder / name), np.full((48, 64, 3), 90, np.uint8))
    return folder


def test_topic_any_order_of_messages_is_matched_by_stamp(bags, image):
    """Before all frames or behind them; frames without a message, messages without a frame, and two of one stamp."""
    entries = [("/truth", MASKS, raw_masks(bags, 30, [object_(1, 2, 2, 5, 5)]), 1)]
    entries += [("/cam", IMAGE, image(stamp), stamp) for stamp in (10, 20, 30, 40)]
    entries += [("/truth", MASKS, raw_masks(bags, stamp, [object_(2, 2, 2, 6, 6)] * 2), 99) for stamp in (10, 77, 10)]
    first, second, third, fourth = found(open_recording(bags.write(entries, store=message_types())))
    assert len(first.objects) == 2 and first.key == 10 and second is None and fourth is None
    assert [entry["category_id"] for entry in third.objects] == [1]


def test_topic_late_messages_beyond_the_buffer_are_found(bags, image, monkeypatch):
    """More truth than may wait: what lies near its frame is found all the same."""
    monkeypatch.setattr(ground_truth_topic, "WAITING", 500)
    second = 1_000_000_000
    entries = []
    for index in range(30):
        stamp = index * 30 * second
        entries += [
            ("/truth", MASKS, raw_masks(bags, stamp, [object_(1, 2, 2, 5, 5)] * 3), stamp),
            ("/cam", IMAGE, image(stamp), stamp),
        ]
        entries.append(("/truth", MASKS, raw_masks(bags, stamp + 1, [object_(1, 2, 2, 5, 5)]), stamp))  # of no frame
    annotated = found(open_recording(bags.write(entries, store=message_types())))
    assert all(frame and len(frame.objects) == 3 for frame in annotated)


def test_topic_other_classes_or_sizes_are_refused(bags, image):
    entries = [
        ("/cam", IMAGE, image(1), 1),
        ("/truth", MASKS, raw_masks(bags, 1, [object_(1, 2, 2, 5, 5), object_(2, 9, 9, 5, 5)]), 1),
    ]
    recording = open_recording(bags.write(entries, store=message_types()))
    (annotated,) = found(recording, ("tram", "Pedestrian "))
    assert [entry["category_id"] for entry in annotated.objects] == [2] and annotated.other_classes == {"car": 1}
    said = "000000: unusable ground truth, the message of /truth is of 32x24 pixels, the frame of 64x48"
    with pytest.raises(UnusableGroundTruth, match=said):
        GroundTruthTopic(recording, "/truth", NAMES).find(next(recording.frames()), 48, 64)
    with pytest.raises(InputError, match="no fcis_ros/msg/InstanceMaskArray on topic /cam; topics with them: /truth"):
        GroundTruthTopic(recording, "/cam", NAMES)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_topic_damaged_message_raises_input_error_only(bags, data):
    raw = bytearray(raw_masks(bags, 5, [object_(1, 2, 2, 5, 5), object_(2, 9, 9, 5, 5)], ids=[3, 4]))
    for _ in range(data.draw(st.integers(0, 5))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    raw = bytes(raw[: data.draw(st.integers(0, len(raw)) | st.just(len(raw)))])
    try:
        instances, ids = deserialize_masks(raw)
        assert len(instances) == len(ids)
    except InputError as error:
        assert "\n" not in str(error)
