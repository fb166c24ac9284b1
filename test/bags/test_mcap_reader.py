# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""MCAP files of other writers, unfinished and damaged ones are read as far as they go."""

import re

import mcap.writer
import numpy as np
import pytest

from fcis_ros.bags.mcap_integrity import CHUNK, MAGIC, records
from fcis_ros.bags.mcap_reader import McapReader
from fcis_ros.bags.reader import open_recording
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
    (finding,) = recording.findings
    known = f"; {recording.count}{' of 6000' if metadata else ''} messages are known"
    assert finding.source == "bag/bag.mcap" and finding.lost and finding.text.endswith(known)
    assert re.match(r"cut off at byte \d+, in the record that begins at byte \d+;", finding.text)
    read = [record.index for record in recording.frames() if record.problem is None]
    assert read == list(range(recording.count)) and 1000 < len(read) < 6000


def problems(reader, path):
    return [problem for _, problem in reader.check(path) if problem]


def damaged_in_the_middle(bags, change):
    """An MCAP file of 4000 frames, three chunks, with a change in the second; and the offset of this chunk."""
    storage = bags.camera(4000) / "bag.mcap"
    data = bytearray(storage.read_bytes())
    chunks = [offset for offset, opcode, _ in records(storage.open("rb"), len(MAGIC), len(data)) if opcode == CHUNK]
    assert len(chunks) > 2
    change(data, chunks[1])
    storage.write_bytes(data)
    return storage, chunks[1]


def flip_content(data, chunk):
    data[chunk + 5000] ^= 1


def break_length(data, chunk):
    data[chunk + 1 : chunk + 9] = (2**50).to_bytes(8, "little")


def break_sizes(data, chunk):
    data[chunk + 25 : chunk + 33] = (2**45).to_bytes(8, "little")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (flip_content, "a chunk does not have its checksum"),
        (break_length, "a chunk whose sizes disagree"),
        (break_sizes, "a chunk whose sizes disagree"),
    ],
)
def test_messages_of_a_damaged_chunk_have_a_problem_and_all_others_are_read(bags, change, problem):
    storage, chunk = damaged_in_the_middle(bags, change)
    recording = open_recording(storage)
    assert recording.count == 4000
    read = list(recording.frames())
    assert [record.index for record in read] == list(range(4000))
    lost = {record.index for record in read if record.problem}
    assert lost == set(range(min(lost), max(lost) + 1)) and 0 < min(lost) and max(lost) < 3000
    assert {record.problem for record in read if record.index in lost} == {f"bag.mcap: damaged at byte {chunk}: {problem}"}
    for index in (min(lost) - 1, max(lost) + 1):
        np.testing.assert_array_equal(read[index].image(), bags.frames(index + 1)[index].image)
    with pytest.raises(InputError, match=f"^frame {min(lost):06d} of /cam/image: bag.mcap: damaged at byte {chunk}: "):
        read[min(lost)].image()


def break_index(data, chunk):
    end = chunk + 9 + int.from_bytes(data[chunk + 1 : chunk + 9], "little")
    data[end + 1 : end + 9] = (2**50).to_bytes(8, "little")


def break_opcode(data, chunk):
    data[chunk] = 0


@pytest.mark.parametrize(
    ("change", "problem"),
    [(break_index, "a record that does not end within the file"), (break_opcode, "a record with the invalid opcode 0")],
)
def test_messages_of_a_whole_chunk_beside_damage_are_all_read(bags, change, problem):
    recording = open_recording(damaged_in_the_middle(bags, change)[0])
    assert [record.problem for record in recording.frames()] == [None] * 4000
    (finding,) = recording.findings
    assert finding.lost and finding.text.endswith(f": {problem}; 4000 messages are known")


@pytest.mark.parametrize(("change", "counts"), [(None, []), (flip_content, [1])])
def test_check_name_each_chunk_with_its_messages(bags, change, counts):
    storage, chunk = damaged_in_the_middle(bags, change or (lambda data, chunk: None))
    found = problems(McapReader(storage), storage)
    assert len(found) == len(counts)
    for line in found:
        assert re.fullmatch(rf"damaged at byte {chunk}: a chunk does not have its checksum \(\d{{3,4}} messages\)", line)


def test_check_compare_the_checksum_of_the_data(tmp_path, bags):
    """The mcap library writes that; the flipped byte lies outside of every chunk."""
    path = tmp_path / "a.mcap"
    with path.open("wb") as file:
        writer = mcap.writer.Writer(file, enable_data_crcs=True)
        writer.start("ros2")
        writer.add_attachment(0, 0, "notes", "text/plain", b"n" * 1000)
        schema = writer.register_schema(IMAGE, "ros2msg", b"")
        writer.add_message(writer.register_channel("/cam", "cdr", schema), 1, b"\0\1\0\0", 1)
        writer.finish()
    assert problems(McapReader(path), path) == []
    data = path.read_bytes()
    path.write_bytes(data.replace(b"n" * 1000, b"m" + b"n" * 999))
    assert problems(McapReader(path), path) == ["damaged: the data do not have the checksum at their end"]
