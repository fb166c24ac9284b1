# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""``python -m benchmarks.node``: time of a frame in the node outside the network, on one core.

Converting the image, tracking 20 instances, building their message from their run lengths, publishing it to a subscriber; the
run lengths themselves come out of the network's last operator. ``benchmarks.overlay`` has the pictures.
"""

import argparse
import itertools
import json
import os
import statistics
import time
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import rclpy
from rclpy.serialization import serialize_message

from benchmarks.measure import OUT
from benchmarks.tracking import crowded, update_ms
from fcis_ros import rle
from fcis_ros.data.coco import read_coco
from fcis_ros.data.segmentation import decode_segmentation
from fcis_ros.data.synthetic.scenes import SyntheticScenes
from fcis_ros.messages import image_messages, mask_messages
from fcis_ros.msg import InstanceMaskArray
from fcis_ros.ros import qos
from fcis_ros.ros.camera import MASK_TYPES
from fcis_ros.structures import Instances

INSTANCES, REPEATS = 20, 200
SIZES = {"640x480": (480, 640), "1080p": (1080, 1920)}
ENCODINGS = ("rgb8", "bgr8", "nv12", "bayer_rggb8", "jpeg")


def instances(height: int, width: int) -> Instances:
    """Ellipses, smooth as the network's masks are, each a sixth of the image high."""
    random = np.random.default_rng(3)
    boxes, runs = [], []
    for _ in range(INSTANCES):
        mask = np.zeros((height // 6, width // 8), np.uint8)
        centre = (mask.shape[1] // 2, mask.shape[0] // 2)
        cv2.ellipse(mask, centre, (centre[0] - 3, centre[1] - 3), 0, 0, 360, 1, -1)
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        crop = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(bool)
        x, y = int(random.integers(width - crop.shape[1])), int(random.integers(height - crop.shape[0]))
        boxes.append((x, y, x + crop.shape[1], y + crop.shape[0]))
        runs.append(rle.encode(crop))
    scores = np.linspace(0.99, 0.5, INSTANCES, dtype=np.float32)
    labels = np.ones(INSTANCES, np.int64)
    return Instances(height, width, np.array(boxes, np.int32), scores, labels, tuple(runs), ("car",))


def rendered() -> Iterator[np.ndarray]:
    """[H, W] masks of the road users of the rendered streets, one after the other."""
    scenes = SyntheticScenes(0)
    return itertools.chain.from_iterable(scenes.sample(number).masks for number in itertools.count())


def annotated(path: Path) -> Iterator[np.ndarray]:
    """[H, W] masks of the objects of a COCO instance file, one after the other; without crowd regions."""
    content = read_coco(path)
    for entry in content.images:
        objects = (annotation for annotation in content.annotations[entry.id] if not annotation.crowd)
        masks = (decode_segmentation(annotation.segmentation, entry.height, entry.width) for annotation in objects)
        yield from (mask for mask in masks if mask.any())


def enlarged(masks: Iterable[np.ndarray], height: int) -> Iterator[Instances]:
    """Groups of twenty masks, scaled to images of this height; an incomplete last group is left out."""
    masks = iter(masks)
    while len(group := list(itertools.islice(masks, INSTANCES))) == INSTANCES:
        boxes, runs = [], []
        for mask in group:
            scale = height / mask.shape[0]
            large = cv2.resize(mask.astype(np.uint8), None, fx=scale, fy=scale)
            x, y, wide, high = cv2.boundingRect(large)
            boxes.append((x, y, x + wide, y + high))
            runs.append(rle.encode(large[y : y + high, x : x + wide].astype(bool)))
        scores, labels = np.linspace(0.99, 0.5, INSTANCES, dtype=np.float32), np.ones(INSTANCES, np.int64)
        yield Instances(height, large.shape[1], np.array(boxes, np.int32), scores, labels, tuple(runs), ("car",))


def message_bytes(groups: Iterable[Instances], header: object) -> list[int]:
    return [len(serialize_message(mask_messages.to_message(MASK_TYPES, group, header, "model"))) for group in groups]


def image(encoding: str, height: int, width: int) -> SimpleNamespace:
    pixels = cv2.resize(np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8), (width, height))
    if encoding == "jpeg":
        return SimpleNamespace(format="jpeg", data=array("B", cv2.imencode(".jpg", pixels)[1].tobytes()))
    rows, step = {"nv12": (height * 3 // 2, width), "bayer_rggb8": (height, width)}.get(encoding, (height, 3 * width))
    data = array("B", np.resize(pixels.reshape(-1), rows * step).tobytes())
    return SimpleNamespace(data=data, encoding=encoding, height=height, width=width, step=step, is_bigendian=0)


def milliseconds(function) -> tuple[float, float]:
    """Median and 95th percentile."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        function()
        times.append((time.perf_counter() - start) * 1000)
    return round(statistics.median(times), 3), round(float(np.percentile(times, 95)), 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--annotations", type=Path, help="COCO instance file: how large messages of its objects are")
    options = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    cv2.setNumThreads(1)
    rclpy.init()
    node = rclpy.create_node("benchmark")
    publisher = node.create_publisher(InstanceMaskArray, "masks", qos.OUTPUT)
    node.create_subscription(InstanceMaskArray, "masks", lambda message: None, qos.OUTPUT)
    header = InstanceMaskArray().header
    results = {}
    for name, (height, width) in SIZES.items():
        shown = instances(height, width)
        message = mask_messages.to_message(MASK_TYPES, shown, header, "model")
        sizes = {"masks as wide as an eighth of the image": len(serialize_message(message))}
        (sizes["road users of a rendered street"],) = message_bytes(itertools.islice(enlarged(rendered(), height), 1), header)
        if options.annotations:
            file_sizes = message_bytes(enlarged(annotated(options.annotations), height), header)
            where = f"objects of {options.annotations.name}, {len(file_sizes)} messages"
            sizes |= {f"{where}, median": int(statistics.median(file_sizes)), f"{where}, largest": max(file_sizes)}
        results[name] = {"message_bytes": sizes, "ms": {}}
        parts = results[name]["ms"]
        parts["build message"] = milliseconds(lambda shown=shown: mask_messages.to_message(MASK_TYPES, shown, header, "model"))
        parts["publish"] = milliseconds(lambda message=message: publisher.publish(message))
        for encoding in ENCODINGS:
            read = image_messages.compressed_to_rgb if encoding == "jpeg" else image_messages.to_rgb
            frame = image(encoding, height, width)
            parts[f"convert {encoding}"] = milliseconds(lambda read=read, frame=frame: read(frame))
        print(f"{name}: messages of {INSTANCES} instances")
        for content, size in sizes.items():
            print(f"  {size / 1000:6.1f} kB: {content}")
        for part, (p50, p95) in parts.items():
            print(f"  {part:22} {p50:8.2f} ms median, {p95:8.2f} ms p95")
        worst = max(parts[f"convert {encoding}"][0] for encoding in ENCODINGS if encoding != "jpeg")
        total = worst + parts["build message"][0] + parts["publish"][0]
        print(f"  raw image to published masks without the network: {total:.2f} ms")
    results["track_ms"] = {name: update_ms(crowded(0, spread=spread)) for name, spread in (("street", 1.0), ("heap", 0.0))}
    print(f"tracking 20 instances at 1080p: {results['track_ms']} ms")
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "node.json").write_text(json.dumps(results, indent=1) + "\n")
    node.destroy_node()
    rclpy.shutdown()


if __name__ == "__main__":
    main()
