# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""MCAP files of other writers, unfinished and damaged ones are read as far as they go."""

import re

import mcap.writer
import numpy as np
import pytest

from fcis_ros.bags.mcap_integrity import CHUNK
from fcis_ros.bags.reader import open_recording
from fcis_ros.bags.storage import open_storage, zstd
from fcis_ros.errors import InputError
from fcis_ros.messages import typestore
from fcis_ros.messages.typestore import IMAGE


@pytest.mark.parametrize("compression", ["NONE", "LZ4", "ZSTD"])
@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize("indexed", [True, False])
def test_messages_file_of_the_mcap_library_equal_the_frames(tmp_path, bags, compression, chunked, indexed):
    frames = bags.frames(6)
    with (tmp_path / "other.mcap").open("wb") as file:
        writer = mcap.writer.Writer(
            file, chunk_size=1500, compression=mcap.writer.CompressionType[compression], use_chunking=chunked,
            index_types=mcap.writer.IndexType.ALL if indexed else mcap.writer.IndexType.NONE, repeat_channels=indexed,
            use_statistics=indexed, use_summary_offsets=indexed,
        )  # fmt: skip
        writer.start("ros2")
        schema = writer.register_schema(IMAGE, "ros2msg", b"")
        channel = writer.register_channel("/cam", "cdr", schema)
        for frame in frames[::-1]:
            raw = bytes(typestore.message_types().serialize_cdr(bags.image(frame.image, frame.stamp), IMAGE))
            writer.add_message(channel, frame.stamp, raw, frame.stamp)
        writer.finish()
    recording = open_recording(tmp_path / "other.mcap")
    assert (recording.topic, recording.count) == ("/cam", 6)
    for frame, record in zip(frames, recording.frames(), strict=True):
        np.testing.assert_array_equal(record.image(), frame.image)


@pytest.mark.parametrize("metadata", [True, False])
def test_messages_file_cut_off_are_read_up_to_the_end(bags, metadata):
    """A killed recorder leaves such a file; chunks are of a megabyte."""
    folder = bags.camera(6000)
    storage = folder / "bag.mcap"
    data = storage.read_bytes()
    assert len(data) > 3e6
    storage.write_bytes(data[: len(data) * 3 // 4])
    if not metadata:
        (folder / "metadata.yaml").unlink()
    recording = open_recording(folder)
    read = []
    with pytest.raises(InputError, match=r"bag.mcap: cut off at byte \d+, in the record that begins at byte \d+"):
        for record in recording.frames():
            read.append(record.index)
    assert read == list(range(recording.count)) and 1000 < len(read) < 6000


def test_messages_flipped_byte_are_read_up_to_its_chunk(bags):
    storage = bags.camera(4000) / "bag.mcap"
    whole, read = bytearray(storage.read_bytes()), 0
    flipped = len(whole) * 2 // 3
    whole[flipped] ^= 1
    storage.write_bytes(whole)
    recording = open_recording(storage)
    with pytest.raises(InputError, match=r"bag.mcap: damaged at byte \d+: a chunk does not have its checksum") as error:
        for _ in recording.frames():
            read += 1
    chunk = int(re.search(r"byte (\d+)", str(error.value))[1])
    assert recording.damage is None and 1000 < read < 4000
    assert whole[chunk] == CHUNK and chunk < flipped < chunk + 9 + int.from_bytes(whole[chunk + 1 : chunk + 9], "little")


@pytest.mark.parametrize("damage", [lambda data: data[:-50], lambda data: data.replace(data[3000:3008], bytes(8))])
def test_messages_damage_in_a_compressed_file_names_that_file(bags, tmp_path, damage):
    file = tmp_path / "packed.mcap.zstd"
    file.write_bytes(zstd.compress(damage((bags.camera(9) / "bag.mcap").read_bytes())))
    with pytest.raises(InputError, match=f"^{file}: (cut off|damaged)"):
        list(open_storage(file).messages({"/cam/image": [IMAGE]}))
