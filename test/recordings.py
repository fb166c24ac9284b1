# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Recordings to read, as other tools would have written them."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from bag_evaluations import make_scenes, run, written
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

from fcis_ros.bags.mcap_integrity import add_checksums
from fcis_ros.bags.writer import image_message
from fcis_ros.data.frame_sources import Frame
from fcis_ros.messages import typestore
from fcis_ros.messages.typestore import COMPRESSED, IMAGE, STRING

STORE = typestore.message_types()
START = 1_700_000_000_123_456_789  # ns


class Bags:
    """Makes messages, and recordings of (topic, type, message or bytes, log time)."""

    START = START

    def __init__(self, folder: Path):
        self.folder = folder

    @staticmethod
    def frames(count: int, step: int = 100_000_000) -> list[Frame]:
        rng = np.random.default_rng(0)
        return [Frame(f"f{i}.png", START + i * step, rng.integers(0, 255, (12, 18, 3), dtype=np.uint8)) for i in range(count)]

    @staticmethod
    def image(pixels: np.ndarray, stamp: int = START):
        return image_message(STORE, Frame("", stamp, pixels))

    @staticmethod
    def text(content: str):
        return STORE.types[STRING](data=content)

    @staticmethod
    def compressed(data: bytes, format_: str, stamp: int = START):
        header = Bags.image(np.zeros((9, 9, 3), np.uint8), stamp).header
        return STORE.types[COMPRESSED](header=header, format=format_, data=np.frombuffer(data, np.uint8))

    @staticmethod
    def encoded(pixels: np.ndarray, kind: str) -> bytes:
        return cv2.imencode(f".{kind}", pixels)[1].tobytes()

    def write(
        self,
        entries,
        name="bag",
        plugin=StoragePlugin.MCAP,
        sums: bool = True,
        compression=CompressionMode.NONE,
        store=STORE,
    ) -> Path:
        path = self.folder / name
        writer = Writer(path, version=9, storage_plugin=plugin)
        if compression != CompressionMode.NONE:
            writer.set_compression(compression, CompressionFormat.ZSTD)
        with writer:
            topics = {}
            for topic, kind, message, time in entries:
                if topic not in topics:
                    topics[topic] = writer.add_connection(topic, kind, typestore=store)
                raw = message if isinstance(message, bytes) else store.serialize_cdr(message, kind)
                writer.write(topics[topic], time, raw)
        for file in path.glob("*.mcap") if sums else ():
            add_checksums(file)
        return path

    def camera(self, count: int = 3, topic: str = "/cam/image", **options) -> Path:
        """A recording of one camera."""
        return self.write([(topic, IMAGE, self.image(f.image, f.stamp), f.stamp) for f in self.frames(count)], **options)


@pytest.fixture
def bags(tmp_path) -> Bags:
    return Bags(tmp_path)


@pytest.fixture
def scenes(bags):
    """Entries of a bag of twelve frames, and the content of its annotations."""
    return make_scenes(bags)


@pytest.fixture
def bag(bags, scenes):
    return bags.write(scenes[0])


@pytest.fixture
def annotations(tmp_path, scenes):
    return written(tmp_path / "truth.json", scenes[1])


@pytest.fixture(scope="session")
def evaluation(tmp_path_factory) -> Path:
    """A folder with a whole evaluation, ``out``, of a recording of twelve frames, eight of them annotated."""
    bags = Bags(tmp_path_factory.mktemp("evaluation"))
    entries, content = make_scenes(bags)
    images = [{**image, "stamp_ns": START + index} for index, image in enumerate(content["images"][:8])]
    annotations = [entry for entry in content["annotations"] if entry["image_id"] in {image["id"] for image in images}]
    truth = written(bags.folder / "truth.json", content, images=images, annotations=annotations)
    run(bags.write(entries), truth, bags.folder / "out")
    written(bags.folder / "out/timing.json", {"frames": 12, "seconds": 1.0})
    return bags.folder
