# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The node for long: sizes, encodings, cameras, parameters change all along; ``make soak`` sends 10 000 frames."""

import os
import statistics
from array import array
from pathlib import Path

import cv2
import numpy as np
import pytest

from fcis_ros.messages import image_messages

pytestmark = [pytest.mark.ros, pytest.mark.slow]

ROUNDS, BURST = int(os.environ.get("FCIS_SOAK_FRAMES", "200")) // 50, 50
LONG_ENOUGH = 40  # rounds from which memory can be said to be flat
CAMERAS = ("front", "left", "rear")
SIDES = (2, 32, 48, 60, 96, 130)


def raw(random, image):
    """A noise image of some size in some encoding; one in ten is of no use."""
    encoding = str(random.choice(image_messages.ENCODINGS))
    height, width = (int(side) for side in random.choice(SIDES, 2))
    step = width * 8 + int(random.choice((0, 3)))  # wide enough for every encoding
    rows = height * 3 // 2 if encoding.startswith("nv") else height
    if random.random() < 0.1:
        encoding, rows = str(random.choice(("rgb99", encoding))), rows + 1
    message = image(np.zeros((1, 1, 3), np.uint8), height=height, width=width, encoding=encoding, step=step)
    message.is_bigendian = int(random.integers(2))
    message.data = array("B", random.integers(0, 256, rows * step, dtype=np.uint8).tobytes())
    return message


def compressed(random, image):
    """The same as a picture file; one in ten is damaged."""
    from sensor_msgs.msg import CompressedImage

    height, width = (int(side) for side in random.choice(SIDES, 2))
    kind = str(random.choice(("jpeg", "png")))
    data = cv2.imencode(f".{kind}", random.integers(0, 256, (height, width, 3), dtype=np.uint8))[1].tobytes()
    data = data[: len(data) // 2] if random.random() < 0.1 else data
    return CompressedImage(header=image(np.zeros((1, 1, 3), np.uint8)).header, format=kind, data=array("B", data))


def parameters(random) -> dict:
    """New values for some of the parameters; all of them are good ones."""
    values = {
        "score_threshold": float(random.random()), "max_instances": int(random.integers(1, 100)),
        "classes": [str(name) for name in random.choice(("car", "pedestrian", "bicyclist"), random.integers(1, 3), False)],
        "overlay_alpha": float(random.random()), "overlay_contour": int(random.integers(1, 20)),
        "overlay_colours": str(random.choice(("class", "id"))), "silence_s": float(random.uniform(0.5, 5)),
    }  # fmt: skip
    return {name: values[name] for name in random.choice(list(values), 3, False)}


def memory_and_threads(pid: int) -> tuple[int, int]:
    """Returns the private memory of a process in kB, and the number of its threads."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    private = sum(int(line.split()[1]) for line in lines if line.startswith(("Private_Clean:", "Private_Dirty:")))
    return private, len(os.listdir(f"/proc/{pid}/task"))


def test_node_changing_conditions_lose_and_leak_nothing(client, start, tiny_checkpoint, wait_for):
    from rclpy.qos import QoSProfile
    from sensor_msgs.msg import CompressedImage, Image

    random, sent, publishers, memory = np.random.default_rng(11), dict.fromkeys(CAMERAS, 0), {}, []
    for topic in ("front/overlay", "front/labels", "left/labels_color"):
        client.node.create_subscription(Image, f"fcis_node/{topic}", lambda picture: None, 1)
    given = {"model": tiny_checkpoint, "cameras": f"[{', '.join(CAMERAS)}]", "track": True, "frame_policy": "every"}
    process = start("fcis_node", {**given, "queue_size": 2 * BURST})
    for number in range(ROUNDS):
        camera = CAMERAS[number % 3]
        kind = Image if random.random() < 0.5 else CompressedImage
        if (known := publishers.pop(camera, None)) and (known.msg_type is not kind or random.random() < 0.2):
            client.node.destroy_publisher(known)  # the camera goes, and comes back
            known = None
        topic = f"{camera}/image" if kind is Image else f"{camera}/image/compressed"
        publisher = known or client.node.create_publisher(kind, topic, QoSProfile(depth=BURST))
        publishers[camera] = publisher
        wait_for(lambda publisher=publisher: reliable(client.node, publisher), "the reliable subscription")
        assert all(result.successful for result in client.set_parameters(**parameters(random)))
        for _ in range(BURST):
            publisher.publish((raw if kind is Image else compressed)(random, client.image))
        sent[camera] += BURST

        def settled(camera=camera):
            name = f"camera {camera}"
            return client.count("received", name) == sent[camera] and client.count("waiting", name) == 0

        wait_for(settled, f"the end of round {number}")
        memory.append(memory_and_threads(process.pid))
    assert process.interrupt() == 0
    account = process.account
    assert {camera: sum(account[camera].values()) for camera in CAMERAS} == sent
    assert all(account[camera]["processed"] > account[camera]["rejected"] > 0 for camera in CAMERAS)
    assert all(account[camera][what] == 0 for camera in CAMERAS for what in ("failed", "overwritten", "stale"))
    assert {threads for _, threads in memory[len(memory) // 2 :]} == {memory[len(memory) // 2][1]}
    if ROUNDS >= LONG_ENOUGH:
        third = ROUNDS // 3
        early, late = (statistics.median(size for size, _ in part) for part in (memory[third : 2 * third], memory[-third:]))
        assert late <= 1.02 * early, memory


def reliable(node, publisher) -> bool:
    """Whether a publisher has found a reliable subscription of the node: nothing is lost from now on."""
    from rclpy.qos import ReliabilityPolicy

    profiles = [end.qos_profile.reliability for end in node.get_subscriptions_info_by_topic(publisher.topic_name)]
    return publisher.get_subscription_count() == len(profiles) and ReliabilityPolicy.RELIABLE in profiles
