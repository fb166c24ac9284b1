# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""What ``fcis check`` says about a recording: by its indexes and the first image of each file, or after reading all of it."""

import contextlib
import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from fcis_ros.bags.packed_files import ZSTD, decompressed, is_packed
from fcis_ros.bags.reader import BagFrame, all_topics, choose_topic
from fcis_ros.bags.remote import fetch
from fcis_ros.bags.splits import IMAGES, Split, open_splits, title
from fcis_ros.bags.stored import StoredMessage
from fcis_ros.errors import InputError
from fcis_ros.findings import Finding, Inspection, listing, source_of
from fcis_ros.messages.typestore import IMAGE, MASKS, NAMES_TOPIC, STRING, header_stamp, message_types

GAP = 5  # multiples of the usual interval between frames from which on frames seem to be missing


@dataclass(frozen=True)
class FirstImage:
    """The first image of a topic in a file.

    Attributes:
        format: encoding of a raw image, or the format text of a compressed one.
        size: width and height in pixels as text; None if it cannot be used.
        problem: reason why it cannot be used.
        packed: whether rosbag2 compressed the message.
    """

    format: str
    size: str | None
    problem: str | None
    packed: bool


def inspect_recording(path: Path | str, full: bool) -> Inspection:
    """Inspects a recording.

    Args:
        path: folder or file, or the URL of one.
        full: whether everything is read, and all checksums are compared; shows a progress bar. Images are not decoded.

    Raises:
        InputError: nothing of it can be read.
    """
    source = fetch(path, recording=True)
    with source.errors_with_url():
        splits, found = open_splits(source.path)
        findings = list(found)
        topics = all_topics(splits)
        images = _image_topics(splits)
        first = {name: _first_images(splits, name) for name in images}
        facts = _facts(splits, topics, any(each.packed for every in first.values() for each in every.values()))
        for name, times in images.items():
            facts[f"images of {name}"] = _image_facts(times, [*first[name].values()])
            findings += _image_findings(source.path, name, times, first[name])
        if full:
            findings += _checked(source.path, splits, list(images))
            facts["checksums"] = "compared"
        uses, refusal = _uses(source.path, splits, topics, first, findings)
        findings += [Finding(source_of(source.path), refusal)] if refusal else []
    return Inspection(str(path), "recording", facts, uses, tuple(findings))


def _facts(splits: Sequence[Split], topics: Mapping[str, tuple[str, int]], packed_messages: bool) -> dict[str, Any]:
    ends = [span for split in splits if (span := split.span)]
    start, end = min((first for first, _ in ends), default=0), max((last for _, last in ends), default=0)
    compressions = {split.reader.compression for split in splits if split.reader.compression}
    compression = [f"{name} (chunks)" for name in sorted(compressions)]
    compression += ["zstd (files)"] * any(is_packed(split.file.path) for split in splits)
    compression += ["zstd (messages)"] * packed_messages
    return {
        "storage": " and ".join(sorted({split.reader.storage for split in splits})),
        "files": {split.file.path.name: f"{split.count} messages" for split in splits},
        "compression": ", ".join(compression) or None,
        "write-ahead logs": [log.name for split in splits for log in split.files[1:]],
        "start": datetime.fromtimestamp(start / 1e9, timezone.utc).isoformat(timespec="milliseconds") if ends else None,
        "seconds": round((end - start) / 1e9, 3),
        "topics": {name: f"({kind}) {count}" for name, (kind, count) in topics.items()},
        "names of frames": topics.get(NAMES_TOPIC, ("", 0))[0] == STRING,
        "ground truth": [name for name, (kind, _) in topics.items() if kind == MASKS],
    }


def _image_topics(splits: Sequence[Split]) -> dict[str, np.ndarray]:
    """Returns {topic: log times of its images, in the order in which they are read}."""
    parts: dict[str, list[np.ndarray]] = {}
    for split in splits:
        for name, times in split.image_times().items():
            parts.setdefault(name, []).append(times)
    return {name: np.concatenate(parts[name]) for name in sorted(parts)}


def _first_images(splits: Sequence[Split], topic: str) -> dict[Split, FirstImage]:
    """Returns the first image of a topic in each file that has one."""
    first = {split: next(split.messages({topic: IMAGES}), None) for split in splits}
    return {split: _first_image(message) for split, message in first.items() if message}


def _first_image(message: StoredMessage) -> FirstImage:
    packed = message.raw[:4] == ZSTD
    text, problem, size = "", message.problem, None
    try:
        raw = decompressed(message.raw)
        frame = BagFrame(message.topic, 0, "000000", message.time, 0, message.kind, raw, problem)
        if problem is None:
            content: Any = message_types().deserialize_cdr(raw, message.kind)
            text = content.encoding if message.kind == IMAGE else content.format
            height, width = frame.image().shape[:2]
            size = f"{width}x{height}"
    except Exception as error:  # noqa: BLE001 (that of rosbags over a damaged message, besides InputError)
        problem = str(error).removeprefix(f"frame 000000 of {message.topic}: ")
    return FirstImage(text, size, problem, packed)


def _image_facts(times: np.ndarray, first: Sequence[FirstImage]) -> str:
    """Returns number, rate, formats and sizes of the images of a topic."""
    seconds = (times[-1] - times[0]) / 1e9 if len(times) > 1 else 0
    rate = f", {(len(times) - 1) / seconds:.4g} Hz" if seconds > 0 else ""
    formats = listing(dict.fromkeys(image.format for image in first if image.format)) or "unknown format"
    sizes = listing(dict.fromkeys(image.size for image in first if image.size)) or "unknown size"
    return f"{len(times)}{rate}, {formats}, {sizes}"


def _image_findings(path: Path, topic: str, times: np.ndarray, first: Mapping[Split, FirstImage]) -> Iterator[Finding]:
    for split, image in first.items():
        if image.problem:
            yield Finding(
                title(path, split.file), f"the first image of {topic} cannot be used: {' '.join(image.problem.split())}"
            )
    name = source_of(path)
    sizes = [size for size in dict.fromkeys(image.size for image in first.values()) if size]
    if len(sizes) > 1:
        yield Finding(name, f"{topic} has images of several sizes: {listing(sizes)}", lost=False)
    steps = np.diff(times)
    if backward := np.count_nonzero(steps < 0):
        yield Finding(name, f"{topic}: the times of recording run backward {backward} times, from file to file", lost=False)
    if same := np.count_nonzero(steps == 0):
        yield Finding(name, f"{topic}: {same} images have the time of recording of the one before", lost=False)
    forward = steps[steps > 0]
    usual = float(np.median(forward)) if len(forward) > 1 else float("inf")
    if len(gaps := forward[forward > GAP * usual]):
        text = f"{topic}: {len(gaps)} gaps of more than {GAP} frames; the longest has {gaps.max() / 1e9:.4g} s"
        yield Finding(name, text, lost=False)


def _checked(path: Path, splits: Sequence[Split], topics: Sequence[str]) -> Iterator[Finding]:
    """Reads everything: compares checksums, and looks at the stamps of the images."""
    last: dict[str, int] = {}
    backward: Counter[str] = Counter()
    with tqdm(desc="check", unit="B", unit_scale=True, mininterval=0.5) as bar:
        for split in splits:
            for size, problem in split.check():
                bar.update(size)
                if problem:
                    yield Finding(title(path, split.file), problem)
    messages = itertools.chain.from_iterable(split.messages(dict.fromkeys(topics, IMAGES)) for split in splits)
    for message in tqdm(messages, "stamps", unit="frame", mininterval=0.5):
        stamp = None if message.problem else _stamp(message.raw)
        if stamp is not None:
            backward[message.topic] += stamp < last.get(message.topic, stamp)
            last[message.topic] = stamp
    for topic, count in sorted(backward.items()):
        if count:
            yield Finding(source_of(path), f"{topic}: the stamps run backward {count} times", lost=False)


def _stamp(raw: bytes | memoryview) -> int | None:
    with contextlib.suppress(InputError):  # a damaged compressed message
        return header_stamp(decompressed(raw))
    return None


def _uses(
    path: Path,
    splits: Sequence[Split],
    topics: Mapping[str, tuple[str, int]],
    first: Mapping[str, Mapping[Split, FirstImage]],
    findings: Sequence[Finding],
) -> tuple[dict[str, str], str | None]:
    """Returns what commands would do, and why they would refuse the recording; None if they would not."""
    truth = [name for name, (kind, count) in topics.items() if kind == MASKS and count]
    try:
        topic, count = choose_topic(path, splits, topics, None, findings)
    except InputError as error:
        if len(first) < 2:
            text = str(error).removeprefix(f"{path}: ")
            return {"evaluate-bag, demo": "refuse it"}, text
        return {"evaluate-bag, demo": f"need --topic, one of {listing(first)}"}, None
    images_of = f"the {count} images of {topic}, as far as they can be decoded"
    if all(image.problem for image in first[topic].values()):
        images_of += " (the first cannot)"
    uses = {"evaluate-bag": f"evaluates {images_of}", "demo": f"plays to the node {images_of}"}
    if truth:
        uses["evaluate-bag --truth-topic"] = f"measures against {listing(truth)}"
    return uses, None
