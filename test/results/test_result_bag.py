# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The recording of results says what the evaluation says, to other readers of recordings, too."""

import json

import cv2
import mcap.reader
import numpy as np
import pytest
from bag_evaluations import NAMES, instances
from rosbags.highlevel import AnyReader

from fcis_ros.bags.reader import open_recording
from fcis_ros.errors import InputError
from fcis_ros.messages.mask_serialization import deserialize_masks
from fcis_ros.results.result_bag import (
    MASKS_TOPIC,
    OUTLINES,
    OUTLINES_TOPIC,
    OVERLAY_TOPIC,
    annotate,
    outline_types,
    write_result_bag,
)


@pytest.fixture
def results(folder, evaluation, tmp_path):
    assert write_result_bag(folder, [open_recording(evaluation / "bag")], tmp_path / "results") == 12
    return tmp_path / "results"


def test_write_results_begin_at_the_score(folder, evaluation, tmp_path):
    recording, counts = open_recording(evaluation / "bag"), []
    for score in (0.1, 0.4, 0.7):
        write_result_bag(folder, [recording], tmp_path / str(score), score)
        with AnyReader([tmp_path / str(score)]) as reader:
            raws = [raw for connection, _, raw in reader.messages() if connection.topic == MASKS_TOPIC]
        scores = [value for raw in raws for value in deserialize_masks(raw)[0].scores.tolist()]
        assert min(scores) >= score
        counts.append(len(scores))
    assert counts == sorted(set(counts), reverse=True)


def test_write_results_of_another_recording_are_refused(folder, bags, scenes, tmp_path):
    shorter = bags.write(scenes[0][:5], name="shorter")
    with pytest.raises(InputError, match=f"{shorter}: has no frame 5, so it is not the recording"):
        write_result_bag(folder, [open_recording(shorter)], tmp_path / "results")


def test_write_results_rosbags_reads_all_topics(results, folder, evaluation):
    """With the definitions in the file alone."""
    listed = [entry for name in ("detections", "unannotated") for entry in json.loads((folder / f"{name}.json").read_text())]
    images = {record.stamp: record for record in open_recording(evaluation / "bag").frames()}
    topics = {MASKS_TOPIC: 0, OVERLAY_TOPIC: 0, OUTLINES_TOPIC: 0}
    with AnyReader([results]) as reader:
        for connection, time, raw in reader.messages():
            message = reader.deserialize(raw, connection.msgtype)
            topics[connection.topic] += 1
            if connection.topic == OUTLINES_TOPIC:
                assert all(0 <= point.x <= 128 and 0 <= point.y <= 96 for line in message.points for point in line.points)
                continue
            stamp = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
            assert time == images[stamp].log_time and message.header.frame_id == "camera"
            if connection.topic == MASKS_TOPIC:
                decoded, _ = deserialize_masks(raw)
                ids = 100 - images[stamp].index, images[stamp].index + 1  # with and without ground truth
                scores = [entry["score"] for entry in listed if entry["image_id"] in ids and entry["score"] >= 0.5]
                assert sorted(decoded.scores.tolist()) == sorted(scores)
                assert set(mask.class_name for mask in message.masks) <= set(NAMES) and message.model == "stand-in"
            else:
                assert cv2.imdecode(message.data, cv2.IMREAD_COLOR).shape == (96, 128, 3)
    assert set(topics.values()) == {12}


def test_write_results_mcap_reads_the_definitions(results):
    with (results / "results.mcap").open("rb") as file:
        reader = mcap.reader.make_reader(file, validate_crcs=True)
        schemas = {schema.name: schema.data.decode() for schema in reader.get_summary().schemas.values()}
        assert sum(1 for _ in reader.iter_messages()) == 36
    assert "foxglove_msgs/PointsAnnotation[] points" in schemas[OUTLINES] and "MSG: foxglove_msgs/Point2" in schemas[OUTLINES]


def test_annotate_outlines_fill_to_the_masks():
    """Filled, they give the masks back: two parts, a hole, the image's border."""
    boxes = [(0, 0, 30, 20), (40, 30, 44, 34)]
    predicted = instances(boxes, [0.9, 0.5], [1, 2])
    store = outline_types()
    header = store.types["std_msgs/msg/Header"](store.types["builtin_interfaces/msg/Time"](1, 2), "camera")
    message = annotate(store, header, predicted)
    assert [text.text for text in message.texts] == ["car 0.90", "pedestrian 0.50"]
    for line, mask in zip(message.points, predicted.masks, strict=True):
        filled = np.zeros(mask.shape, np.uint8)
        points = np.array([(point.x - 0.5, point.y - 0.5) for point in line.points])
        assert (points == points.round()).all()
        cv2.fillPoly(filled, [points.astype(np.int32)], 1)
        np.testing.assert_array_equal(filled, mask)
    assert bytes(store.serialize_cdr(message, OUTLINES))
