"""The node as a process: what it publishes, what it counts, how it starts and ends."""

import signal

import numpy as np
import pytest

from fcis_ros import overlay
from fcis_ros.model.predictor import Predictor
from fcis_ros.ros import convert

pytestmark = pytest.mark.ros


class Client:
    """Publishes images to a node and collects everything it says."""

    def __init__(self, node):
        from diagnostic_msgs.msg import DiagnosticArray
        from rclpy.qos import QoSProfile
        from sensor_msgs.msg import Image

        from fcis_ros.msg import InstanceMaskArray

        self.node, self.image_type = node, Image
        self.masks, self.overlays, self.labels, self.facts = [], [], [], {}
        self._publisher = node.create_publisher(Image, "camera/image", QoSProfile(depth=5))
        node.create_subscription(InstanceMaskArray, "fcis_node/masks", self.masks.append, 10)
        node.create_subscription(DiagnosticArray, "/diagnostics", self._keep_facts, 10)
        self._sent = 0

    def watch_pictures(self):
        self.node.create_subscription(self.image_type, "fcis_node/overlay", self.overlays.append, 10)
        self.node.create_subscription(self.image_type, "fcis_node/labels", self.labels.append, 10)

    def _keep_facts(self, message):
        for status in message.status:
            self.facts = {entry.key: entry.value for entry in status.values}

    def send(self, image, **changes):
        self._sent += 1
        message = self.image_type()
        message.header.stamp.sec, message.header.stamp.nanosec = 1000 + self._sent, 123456789
        message.header.frame_id = f"camera_{self._sent}"
        convert.fill_image(message, image, "rgb8")
        for name, value in changes.items():
            setattr(message, name, value)
        self._publisher.publish(message)
        return message

    def connected(self) -> bool:
        return self._publisher.get_subscription_count() > 0 and self.node.count_publishers("fcis_node/masks") > 0

    def count(self, name) -> int:
        return int(self.facts.get(f"frames_{name}", -1))


@pytest.fixture
def client(graph):
    return Client(graph)


IMAGE = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
REMAP = {"image": "camera/image"}


@pytest.mark.parametrize("precision", ["fp32", "bf16"])  # bf16 in software where the CPU has no unit for it
def test_masks_overlay_and_labels_carry_the_header_and_the_prediction(client, start, tiny_checkpoint, wait_for, precision):
    client.watch_pictures()
    process = start("fcis_node", {"model": tiny_checkpoint, "precision": precision, "score_threshold": 0.2}, REMAP)
    wait_for(client.connected, "the node")
    wait_for(lambda: client.node.count_publishers("fcis_node/overlay"), "the overlay")
    sent = client.send(IMAGE)
    wait_for(lambda: client.masks and client.overlays and client.labels, "the answers")
    for answer in (client.masks[0], client.overlays[0], client.labels[0]):
        assert answer.header == sent.header
    expected = Predictor.from_checkpoint(tiny_checkpoint, "cpu", precision=precision)(IMAGE, 0.2)
    assert len(expected) > 0
    from fcis_ros.ros.masks import from_message

    found = from_message(client.masks[0])
    assert np.array_equal(found.masks, expected.masks) and np.array_equal(found.scores, expected.scores)
    wait_for(lambda: client.facts.get("frames_out") == "1", "the diagnostics")
    assert client.facts["precision"] == precision and client.facts["device"] == "cpu"
    assert client.masks[0].model == "tiny" and (client.masks[0].height, client.masks[0].width) == (60, 80)
    assert client.overlays[0].encoding == "rgb8"
    assert np.array_equal(convert.to_rgb(client.overlays[0]), overlay.draw(IMAGE, expected))
    assert client.labels[0].encoding == "mono16"
    labels = np.frombuffer(client.labels[0].data, np.uint16).reshape(60, 80)
    assert np.array_equal(labels, overlay.label_map(expected))
    assert process.interrupt() == 0, process.output
    assert "Traceback" not in process.output


def test_bad_frames_are_counted_logged_once_and_the_next_one_is_served(client, start, tiny_checkpoint, wait_for):
    process = start("fcis_node", {"model": tiny_checkpoint}, REMAP)
    wait_for(client.connected, "the node")
    bad = [{"encoding": "32FC1"}, {"encoding": "32FC1"}, {"step": 1}, {"height": 0}, {"height": 1000}]
    for number, changes in enumerate(bad, 1):
        client.send(IMAGE, **changes)
        wait_for(lambda number=number: client.count("rejected") == number, f"rejection {number}")
    client.send(np.zeros((1, 1, 3), np.uint8))
    wait_for(lambda: client.count("rejected") == 6, "the rejection of one pixel")
    good = client.send(IMAGE)
    wait_for(lambda: client.masks, "the answer to the good frame")
    assert client.masks[0].header == good.header and len(client.masks) == 1
    assert process.output.count("32FC1") == 1 and process.output.count("step 1 is too small") == 1
    assert process.running and client.facts["state"] == "active"
    assert process.interrupt(signal.SIGTERM) == 0, process.output


def test_overload_drops_and_counts_and_answers_the_newest(client, start, tiny_checkpoint, wait_for):
    process = start("fcis_node", {"model": tiny_checkpoint, "score_threshold": 1.0}, REMAP)
    wait_for(client.connected, "the node")
    # A burst may be cut short before it reaches the node (the reader's queue holds one image): go on until the node says so.
    large = np.tile(IMAGE, (8, 8, 1))
    wait_for(lambda: [client.send(large) for _ in range(5)] and client.count("overwritten") > 0, "an overwritten frame")
    last = client.send(IMAGE)
    wait_for(lambda: client.masks and client.masks[-1].header == last.header, "the newest frame's answer")
    wait_for(lambda: client.count("out") == len(client.masks), "the counters")
    assert client.count("in") == client.count("out") + client.count("overwritten")
    assert client.count("overwritten") > 0
    # Nothing scores 1: an image without objects yields an empty array, never silence.
    assert all(len(answer.masks) == 0 for answer in client.masks)
    assert process.interrupt() == 0


def test_parameters_change_at_run_time_and_are_validated(client, start, tiny_checkpoint, wait_for):
    from rcl_interfaces.srv import DescribeParameters
    from rclpy.parameter import Parameter
    from rclpy.parameter_client import AsyncParameterClient

    from fcis_ros.ros.params import PARAMETERS

    start("fcis_node", {"model": tiny_checkpoint, "score_threshold": 0.2}, REMAP)
    wait_for(client.connected, "the node")
    parameters = AsyncParameterClient(client.node, "fcis_node")
    wait_for(parameters.services_are_ready, "the parameter services")

    def set_parameters(**values):
        future = parameters.set_parameters([Parameter(name, value=value) for name, value in values.items()])
        wait_for(future.done, f"setting {values}")
        return future.result().results

    def served():
        client.masks.clear()
        client.send(IMAGE)
        return wait_for(lambda: client.masks, "an answer")[0].masks

    assert "car" in {mask.class_name for mask in served()}
    assert all(result.successful for result in set_parameters(classes=["pedestrian"]))
    assert "car" not in {mask.class_name for mask in served()}
    assert all(result.successful for result in set_parameters(classes=["car"], max_instances=2))
    assert 0 < len(served()) <= 2 and {mask.class_name for mask in served()} == {"car"}
    refused = set_parameters(score_threshold=1.5) + set_parameters(max_instances=0) + set_parameters(classes=["tram"])
    assert not any(result.successful for result in refused)
    assert "tram" in refused[-1].reason and "car, pedestrian, bicyclist" in refused[-1].reason
    assert not any(result.successful for result in set_parameters(model="other", device="cpu"))
    assert 0 < len(served()) <= 2  # nothing of what was refused took effect

    describe = client.node.create_client(DescribeParameters, "fcis_node/describe_parameters")
    request = DescribeParameters.Request(names=[row.name for row in PARAMETERS])
    future = describe.call_async(request)
    wait_for(future.done, "the descriptors")
    for row, descriptor in zip(PARAMETERS, future.result().descriptors, strict=True):
        assert descriptor.description == row.description and descriptor.read_only == row.read_only


def test_lifecycle_by_hand(client, start, tiny_checkpoint, wait_for):
    from lifecycle_msgs.msg import Transition
    from lifecycle_msgs.srv import ChangeState

    process = start("fcis_node", {"model": tiny_checkpoint, "autostart": False}, REMAP)
    change = client.node.create_client(ChangeState, "fcis_node/change_state")
    wait_for(change.service_is_ready, "the lifecycle service")

    def go(transition):
        future = change.call_async(ChangeState.Request(transition=Transition(id=transition)))
        wait_for(future.done, "the transition")
        assert future.result().success

    for _ in range(2):  # everything can be done again
        assert not client.connected()
        go(Transition.TRANSITION_CONFIGURE)
        go(Transition.TRANSITION_ACTIVATE)
        wait_for(client.connected, "the subscription")
        client.masks.clear()
        client.send(IMAGE)
        wait_for(lambda: client.masks, "an answer")
        go(Transition.TRANSITION_DEACTIVATE)
        wait_for(lambda: client._publisher.get_subscription_count() == 0, "the end of the subscription")
        go(Transition.TRANSITION_CLEANUP)
    assert process.interrupt() == 0, process.output


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
    ],
)
def test_what_cannot_be_used_ends_the_node_with_one_line(graph, start, tiny_checkpoint, parameters, named):
    process = start("fcis_node", {"model": tiny_checkpoint, **parameters}, REMAP)
    assert process.wait() == 2
    assert process.output.strip().count("\n") == 0 and named in process.output
