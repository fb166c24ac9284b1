# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The node as a process: what it publishes, what it counts, how it is set."""

from collections import Counter

import cv2
import numpy as np
import pytest

from fcis_ros import overlay
from fcis_ros.messages import image_messages
from fcis_ros.model.predictor import Predictor

pytestmark = pytest.mark.ros


@pytest.mark.parametrize("precision", ["fp32", "bf16"])  # bf16 in software where the CPU has no unit for it
def test_node_outputs_have_header_and_prediction(client, serve, tiny_checkpoint, wait_for, picture, precision):
    from sensor_msgs.msg import Image

    from fcis_ros.messages.mask_messages import from_message

    overlays, labels, masks = [], [], client.masks[""]
    client.node.create_subscription(Image, "fcis_node/overlay", overlays.append, 10)
    client.node.create_subscription(Image, "fcis_node/labels", labels.append, 10)
    process = serve(precision=precision, score_threshold=0.2)
    wait_for(lambda: client.node.count_publishers("fcis_node/overlay"), "the overlay")
    sent = client.send()
    wait_for(lambda: masks and overlays and labels, "the answers")
    for answer in (masks[0], overlays[0], labels[0]):
        assert answer.header == sent.header
    expected = Predictor.from_checkpoint(tiny_checkpoint, "cpu", precision=precision)(picture, 0.2)
    assert len(expected) > 0
    found = from_message(masks[0])
    assert np.array_equal(found.masks, expected.masks) and np.array_equal(found.scores, expected.scores)
    assert masks[0].model == "tiny" and (masks[0].height, masks[0].width) == (60, 80)
    assert overlays[0].encoding == "rgb8"
    assert np.array_equal(image_messages.to_rgb(overlays[0]), overlay.draw(picture, expected))
    assert labels[0].encoding == "mono16"
    assert np.array_equal(np.frombuffer(labels[0].data, np.uint16).reshape(60, 80), overlay.label_map(expected))
    wait_for(lambda: client.count("processed") == 1, "the diagnostics")
    assert client.value("precision", "model") == precision and client.value("device", "model") == "cpu"
    wait_for(lambda: client.value("stage_ms.overlay", "model") and client.value("receive_to_publish_ms_p50"), "the times")
    assert len(client.value("checkpoint_sha256", "model")) == 12 and client.value("ignored_rois", "model") == "0"
    assert process.interrupt() == 0, process.output
    assert process.account == {"": dict(zip(client.PARTS, (1, 0, 0, 0, 0, 0), strict=True))}


def test_node_bad_frames_are_counted_and_logged_once(client, serve, wait_for):
    process = serve()
    bad = [{"encoding": "32FC1"}, {"encoding": "32FC1"}, {"step": 1}, {"height": 0}, {"height": 1000}]
    for number, changes in enumerate(bad, 1):
        client.send(**changes)
        wait_for(lambda number=number: client.count("rejected") == number, f"rejection {number}")
    assert client.status["camera"][0] == 1 and "rejected in the last" in client.status["camera"][1]
    client.send(np.zeros((1, 1, 3), np.uint8))
    wait_for(lambda: client.count("rejected") == 6, "the rejection of one pixel")
    good = client.send()
    wait_for(lambda: client.masks[""], "the answer to the good frame")
    assert client.masks[""][0].header == good.header and len(client.masks[""]) == 1
    assert process.output.count("32FC1") == 1 and process.output.count("step 1 is too small") == 1
    # Levels forget: with good frames only, the camera is well again.
    wait_for(lambda: client.send() and client.status["camera"][0] == 0, "the level")
    assert process.running and client.value("state") == "active"
    assert process.interrupt() == 0


def test_node_overload_drops_and_counts_frames(client, serve, wait_for, picture):
    process = serve(score_threshold=1.0)
    # A burst may be cut short before it reaches the node (the queues between hold a few): go on until the node says so.
    large = np.tile(picture, (8, 8, 1))
    wait_for(lambda: [client.send(large) for _ in range(5)] and client.count("overwritten") > 0, "an overwritten frame")
    last, masks = client.send(), client.masks[""]
    wait_for(lambda: masks and masks[-1].header == last.header, "the newest frame's answer")
    wait_for(lambda: client.count("processed") == len(masks), "the counters")
    # Nothing scores 1: an image without objects yields an empty array, never silence.
    assert all(len(answer.masks) == 0 for answer in masks)
    assert process.interrupt() == 0
    assert process.account[""]["processed"] == len(masks) and process.account[""]["overwritten"] > 0


def test_node_policy_every_keeps_order_and_tracks(client, serve, wait_for):
    process = serve(frame_policy="every", queue_size=40, track=True, score_threshold=0.2)
    wait_for(lambda: "reliable" in client.value("input"), "the subscription that matches the publisher")
    sent = [client.send().header for _ in range(5)]  # no more than the publisher keeps
    wait_for(lambda: len(client.masks[""]) == 5, "all answers")
    assert [answer.header for answer in client.masks[""]] == sent
    ids = [{mask.id for mask in answer.masks} for answer in client.masks[""]]
    assert ids[0] and 0 not in ids[0] and all(frame_ids == ids[0] for frame_ids in ids)  # the same picture five times
    assert process.interrupt() == 0
    assert process.account[""]["processed"] == 5 and process.account[""]["overwritten"] == 0


def test_node_bad_stamps_are_logged_and_old_frames_stale(client, serve, wait_for):
    from std_msgs.msg import Header

    process = serve()

    def send(seconds, frame_id="camera"):
        header = Header(frame_id=frame_id)
        header.stamp.sec = seconds
        before = len(client.masks[""])
        client.send(header=header)
        wait_for(lambda: len(client.masks[""]) > before, "the answer")
        assert client.masks[""][-1].header == header

    for seconds in (500, 400, 300, 0, -7, -8):  # each of them jumps back
        send(seconds)
    send(600, frame_id="")
    for text in ("time stamps jump back", "no time stamp", "negative time stamp", "empty frame_id"):
        assert process.output.count(text) == 1, text
    wait_for(lambda: client.value("stamp_jumps") == "5", "the jumps")
    assert client.set_parameters(max_age_ms=1000)[0].successful
    for number, stamp in enumerate((-7, 0, 600), 1):
        header = Header(frame_id="camera")
        header.stamp.sec = stamp
        client.send(header=header)
        wait_for(lambda number=number: client.count("stale") == number, "the stale frame")
    # As long as nothing else comes:
    wait_for(lambda: client.send() and "older than max_age_ms" in client.status["camera"][1], "the warning")
    assert process.interrupt() == 0
    account = process.account[""]
    assert account["processed"] == 7 and account["stale"] >= 3 and account["rejected"] == account["failed"] == 0


def test_node_parameters_change_and_are_validated(client, start, serve, wait_for):
    from rcl_interfaces.srv import DescribeParameters, GetParameters, ListParameters, SetParameters, SetParametersAtomically
    from rclpy.parameter import Parameter

    from fcis_ros.ros.params import PARAMETERS

    process = serve(score_threshold=0.2)

    def served():
        client.masks[""].clear()
        client.send()
        return wait_for(lambda: client.masks[""], "an answer")[0].masks

    ((usual, count),) = Counter(mask.class_name for mask in served()).most_common(1)
    assert count > 2
    other = "pedestrian" if usual == "car" else "car"
    assert all(result.successful for result in client.set_parameters(classes=[other]))
    assert usual not in {mask.class_name for mask in served()}
    assert all(result.successful for result in client.set_parameters(classes=[usual], max_instances=2))
    assert len(served()) == 2 and {mask.class_name for mask in served()} == {usual}
    refused = client.set_parameters(score_threshold=1.5, max_instances=0, overlay_alpha=float("nan"), model="x")
    refused += client.set_parameters(classes=["tram"])
    assert not any(result.successful for result in refused)
    assert "tram" in refused[-1].reason and "car, pedestrian, bicyclist" in refused[-1].reason
    # All or nothing.
    both = [Parameter("max_instances", value=1), Parameter("classes", value=["tram"])]
    request = SetParametersAtomically.Request(parameters=[parameter.to_parameter_msg() for parameter in both])
    assert not client.call(SetParametersAtomically, "fcis_node/set_parameters_atomically", request).result.successful
    assert len(served()) == 2  # nothing of what was refused took effect

    names = [row.name for row in PARAMETERS]
    described = client.call(DescribeParameters, "fcis_node/describe_parameters", DescribeParameters.Request(names=names))
    for row, descriptor in zip(PARAMETERS, described.descriptors, strict=True):
        assert descriptor.description == row.description and descriptor.read_only == row.read_only
        bounds = [*descriptor.floating_point_range, *descriptor.integer_range]
        assert [(bound.from_value, bound.to_value) for bound in bounds] == ([row.limits] if row.limits else [])
        assert bool(descriptor.additional_constraints) == bool(row.choices)

    # Without images while it is disabled, and with them again.
    assert client.set_parameters(enable=False)[0].successful
    wait_for(lambda: client.publisher().get_subscription_count() == 0, "the end of the subscription")
    wait_for(lambda: client.status["camera"][:2] == (0, "disabled"), "the status")
    assert client.set_parameters(enable=True)[0].successful
    wait_for(client.connected, "the subscription")
    assert len(served()) == 2

    # What `ros2 param dump` writes can be loaded again: every value is accepted by a node that starts with it.
    listed = client.call(ListParameters, "fcis_node/list_parameters", ListParameters.Request()).result.names
    values = client.call(GetParameters, "fcis_node/get_parameters", GetParameters.Request(names=listed)).values
    present = [message(name, value) for name, value in zip(listed, values, strict=True)]
    results = client.call(SetParameters, "fcis_node/set_parameters", SetParameters.Request(parameters=present)).results
    assert all(result.successful for result in results)  # read-only ones have these values
    assert process.interrupt() == 0
    dump = {name: Parameter.from_parameter_msg(message(name, value)).value for name, value in zip(listed, values, strict=True)}
    assert set(names) <= set(dump)
    again = start("fcis_node", {name: literal(value) for name, value in dump.items()})
    client.masks[""].clear()
    wait_for(client.connected, "the node with the dumped parameters")
    assert len(served()) == 2 and again.interrupt() == 0


def message(name, value):
    from rcl_interfaces.msg import Parameter

    return Parameter(name=name, value=value)


def literal(value) -> str:
    """A parameter's value as YAML, as ``ros2 param dump`` writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(literal(entry) for entry in value) + "]"
    return f"'{value}'" if isinstance(value, str) else str(value)


def test_node_segment_service_returns_masks(client, start, tiny_checkpoint, wait_for, picture):
    from lifecycle_msgs.msg import Transition

    from fcis_ros.srv import Segment

    parameters = {"model": tiny_checkpoint, "precision": "fp32", "score_threshold": 0.2, "autostart": False}
    process = start("fcis_node", parameters)
    image = client.image()
    refused = client.call(Segment, "fcis_node/segment", Segment.Request(image=image))
    assert not refused.success and "configure the node first" in refused.message
    assert client.change_state(Transition.TRANSITION_CONFIGURE)
    answer = client.call(Segment, "fcis_node/segment", Segment.Request(image=image))
    expected = Predictor.from_checkpoint(tiny_checkpoint, "cpu", precision="fp32")(picture, 0.2)
    assert answer.success and answer.masks.header == image.header and answer.masks.model == "tiny"
    assert [mask.score for mask in answer.masks.masks] == pytest.approx(expected.scores.tolist()) and len(expected)
    bad = client.call(Segment, "fcis_node/segment", Segment.Request(image=client.image(step=1)))
    assert not bad.success and "step 1 is too small" in bad.message and not bad.masks.masks
    assert client.change_state(Transition.TRANSITION_ACTIVATE)
    assert client.call(Segment, "fcis_node/segment", Segment.Request(image=image)).success
    wait_for(lambda: client.value("segment_requests", "model") == "3", "the diagnostics")
    assert process.interrupt() == 0


def test_node_several_cameras_take_turns_without_waiting_for_dead_one(client, start, tiny_checkpoint, wait_for, picture):
    from sensor_msgs.msg import CompressedImage

    for name in ("front", "left", "rear"):
        client.watch(name)
    jpegs = client.publisher("left_driver/image_raw/compressed", CompressedImage)
    parameters = {"model": tiny_checkpoint, "cameras": "[front, left, rear]", "silence_s": 1.0, "max_batch": 2}
    process = start("fcis_node", parameters, {"left/image": "left_driver/image_raw"})
    wait_for(lambda: client.connected("front/image", "fcis_node/left/masks"), "the raw camera")
    wait_for(lambda: jpegs.get_subscription_count() == 1, "the compressed camera")  # auto: the raw topic has no publisher
    assert "/left_driver/image_raw/compressed (reliable, volatile, depth 10)" in wait_for(
        lambda: client.value("input", "camera left"), "the input"
    )
    answered = client.masks["left"]
    # One camera floods the node; the other's few frames are all answered.
    large = np.tile(picture, (4, 4, 1))
    for number in range(3):
        jpeg = CompressedImage(format="jpeg", data=cv2.imencode(".jpg", large)[1].tobytes())
        jpeg.header.frame_id = "left"
        jpeg.header.stamp.sec = 10 + number
        jpegs.publish(jpeg)
        wait_for(lambda: client.send(large, "front/image") and len(answered) > number, "the slow camera's answer")  # noqa: B023
        assert client.masks["left"][-1].header == jpeg.header
        assert (client.masks["left"][-1].height, client.masks["left"][-1].width) == large.shape[:2]
    wait_for(lambda: client.masks["front"], "the fast camera's answer")
    assert {answer.header.frame_id[:7] for answer in client.masks["front"]} == {"camera_"} and not client.masks["rear"]
    jpegs.publish(CompressedImage(format="jpeg", data=b"garbage"))
    wait_for(lambda: client.count("rejected", "camera left") == 1, "the damaged picture")
    wait_for(lambda: "/rear/image has no publisher; images are" in client.status["camera rear"][1], "the dead camera")
    assert client.status["camera rear"][0] == 1 and "/front/image" in client.status["camera rear"][1]
    assert process.interrupt() == 0
    assert process.account["left"]["processed"] == 3 and process.account["left"]["rejected"] == 1
    assert process.account["front"]["processed"] == len(client.masks["front"])
    assert sum(process.account["rear"].values()) == 0


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"model": "nowhere.safetensors"}, "checkpoint nowhere.safetensors: no such file"),
        ({"model": __file__}, "not a readable safetensors file"),
        ({"device": "cuda:77"}, "cuda:77"),
        ({"device": "gpu"}, "expected auto, cpu, cuda or cuda:N"),
        ({"score_threshold": 7.0}, "score_threshold"),
        ({"score_threshold": "high"}, "score_threshold"),
        ({"classes": "[tram]"}, "'tram' is not a class of the model"),
        ({"transport": "zipped"}, "parameter transport: 'zipped' is not one of auto, raw, compressed"),
        ({"cameras": "[front, masks]"}, "'masks' is the name of a topic of this node"),
        ({"cameras": "[front, front]"}, "duplicate camera name 'front'"),
    ],
)
def test_node_unusable_parameter_ends_with_one_line(graph, start, tiny_checkpoint, parameters, named):
    process = start("fcis_node", {"model": tiny_checkpoint, **parameters})
    assert process.wait() == 2
    lines = [line for line in process.output.splitlines() if "[INFO]" not in line]
    assert len(lines) == 1 and named in lines[0]
