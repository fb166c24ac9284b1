# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The splits of a recording: each of its files that can be read, once, and what is said about the others."""

import contextlib
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np

from fcis_ros.bags.bag_folder import BagFile, bag_files, plain_name
from fcis_ros.bags.mcap_reader import McapReader
from fcis_ros.bags.packed_files import is_packed, unpacked
from fcis_ros.bags.sqlite_reader import SqliteReader, log_files
from fcis_ros.bags.stored import StoredMessage, StoredTopic
from fcis_ros.data.frame_sources import BAG_SUFFIXES, bag_suffix
from fcis_ros.errors import InputError, reason_of
from fcis_ros.findings import Finding, source_of
from fcis_ros.messages.typestore import COMPRESSED, IMAGE

IMAGES = (IMAGE, COMPRESSED)


@dataclass(frozen=True, eq=False)
class Split:
    """A file of a recording. A compressed one is unpacked to a temporary file while it is opened and while it is read.

    Attributes:
        file: path, and what metadata.yaml says.
        reader: structure of the file.
        packing: what is wrong with its compression; None if nothing is, or if it is not compressed.
    """

    file: BagFile
    reader: McapReader | SqliteReader
    packing: str | None

    @classmethod
    def open(cls, file: BagFile) -> "Split":
        """Reads the structure of a file.

        Raises:
            InputError: not a file of a recording, or not readable at all.
        """
        kind = bag_suffix(file.path.name)
        if not kind:
            ros1 = "; rosbags-convert makes a recording of a ROS 1 bag" if file.path.suffix == ".bag" else ""
            raise InputError(f"its suffix is not {' or '.join(BAG_SUFFIXES)}{ros1}")
        with one_line(), unpacked(file.path) as (plain, packing):
            if packing and not plain.stat().st_size:
                raise InputError(packing)
            return cls(file, McapReader(plain) if kind == ".mcap" else SqliteReader(plain), packing)

    @property
    def files(self) -> list[Path]:
        """All files that are read: the split and the logs of a killed recorder."""
        return [self.file.path, *([] if is_packed(self.file.path) else log_files(self.file.path))]

    @property
    def topics(self) -> list[StoredTopic]:
        """Topics, one for each writer."""
        return self.reader.topics

    @property
    def count(self) -> int:
        """Number of messages that are known, of all topics."""
        return sum(topic.count for topic in self.topics)

    @property
    def damage(self) -> str | None:
        """Damage behind which messages may be lost that are not known, in one line; None without any."""
        if not (problem := self.packing or self.reader.damage):
            return None
        total = self.file.messages
        return f"{problem}; {self.count}{f' of {total}' if total and total >= self.count else ''} messages are known"

    @property
    def span(self) -> tuple[int, int] | None:
        """Log times of the first and the last message, nanoseconds; None without messages."""
        topics = [topic for topic in self.topics if topic.readable and topic.count]
        spans = [self.reader.times(topic.name, [topic.kind])[[0, -1]].tolist() for topic in topics]
        return (min(first for first, _ in spans), max(last for _, last in spans)) if spans else None

    def messages(self, kinds: Mapping[str, Collection[str]], since: int = 0) -> Iterator[StoredMessage]:
        """Yields the messages of some topics, each of some types, in order of the log times; see ``McapReader.messages``.

        Raises:
            InputError: the file cannot be opened any more, or has changed.
        """
        with contextlib.closing(self._messages(kinds, since)) as messages:
            while True:
                with one_line(f"{self.file.path}: "):
                    message = next(messages, None)
                if message is None:
                    return
                yield message._replace(problem=f"{self.file.path.name}: {message.problem}") if message.problem else message

    def _messages(self, kinds: Mapping[str, Collection[str]], since: int) -> Generator[StoredMessage, None, None]:
        with unpacked(self.file.path) as (plain, _):
            yield from self.reader.messages(plain, kinds, since)

    def check(self) -> Iterator[tuple[int, str | None]]:
        """Reads the whole file and compares all checksums; yields bytes that were read, and what is wrong with them or None."""
        with unpacked(self.file.path) as (plain, _):
            yield from self.reader.check(plain)

    def image_times(self) -> dict[str, np.ndarray]:
        """Returns {topic: log times of its images, ascending}."""
        names = dict.fromkeys(topic.name for topic in self.topics if topic.kind in IMAGES and topic.readable and topic.count)
        return {name: self.reader.times(name, IMAGES) for name in names}


def open_splits(path: Path) -> tuple[tuple[Split, ...], tuple[Finding, ...]]:
    """Opens the files of a recording that can be read; reads their structure, no message.

    Files that hold the same messages are read once: the one with most of them.

    Args:
        path: folder or file.

    Returns:
        The splits, in the order of metadata.yaml, or of time if it does not name all of them; and findings: files that cannot
        be read, damage, files that hold the same.

    Raises:
        InputError: not a recording, no file of it can be read, or files overlap in part.
    """
    files, findings = bag_files(path)
    splits, unreadable = [], {}
    for file in files:
        try:
            if not file.path.exists():
                raise InputError("missing")
            splits.append(Split.open(file))
        except InputError as error:
            unreadable[file] = str(error)
    if not splits:
        file, reason = next(iter(unreadable.items()))
        raise InputError(f"{file.path}: not a readable file of a recording ({reason})")
    for split in [split for split in splits if split.damage and not split.count and len(splits) > 1]:
        unreadable[split.file] = str(split.damage)
        splits.remove(split)
    for file, reason in unreadable.items():
        findings.append(_unreadable(path, file, reason, splits))
    if len(splits) > 1 and not all(split.file.listed for split in splits):
        splits, same = _once(path, splits)
        findings += same
    for split in splits:
        if split.damage:
            findings.append(Finding(title(path, split.file), split.damage))
        elif split.count < (split.file.messages or 0):  # a log was not copied, or a recorder counted too many
            text = f"holds {split.count} messages, of {split.file.messages} by metadata.yaml"
            findings.append(Finding(title(path, split.file), text, lost=False))
        if logs := split.files[1:]:
            size = sum(log.stat().st_size for log in logs)
            text = f"read with its log {logs[0].name} ({size} bytes): the recorder was killed"
            findings.append(Finding(title(path, split.file), text, lost=False))
    return tuple(splits), tuple(findings)


def title(path: Path, file: BagFile) -> str:
    """Returns the name of a recording's file for findings: with its folder, if that was given."""
    return file.path.name if file.path == path else f"{source_of(path)}/{file.path.name}"


def _unreadable(path: Path, file: BagFile, reason: str, splits: Sequence[Split]) -> Finding:
    stem = PurePath(plain_name(file.path.name)).stem
    other = next((each.file.path.name for each in splits if PurePath(plain_name(each.file.path.name)).stem == stem), None)
    if other:
        return Finding(title(path, file), f"cannot be read ({reason}); {other} of the same name is read instead", lost=False)
    known = "" if file.messages is None else f"; it had {file.messages} messages by metadata.yaml"
    return Finding(title(path, file), f"cannot be read ({reason}){known}")


def _once(path: Path, splits: list[Split]) -> tuple[list[Split], list[Finding]]:
    """Leaves out files whose images another file holds, too; and says which files metadata.yaml does not name."""
    order = {split: number for number, split in enumerate(splits)}
    better = sorted(splits, key=lambda each: (-each.count, bool(each.damage), not each.file.listed, is_packed(each.file.path)))
    times = {split: split.image_times() for split in splits}
    kept: list[Split] = []
    findings = []
    for split in better:
        same = next((other for other in kept if _holds(path, other, split, times[other], times[split])), None)
        if same:
            text = f"holds the same {split.count} messages as {same.file.path.name}, which is read"
            findings.append(Finding(title(path, split.file), text, lost=False))
        else:
            kept.append(split)
    if any(split.file.listed for split in splits):
        new = [split for split in kept if not split.file.listed]
        text = "not named by metadata.yaml, but read, too"
        findings += [Finding(title(path, split.file), text, lost=False) for split in new]
    return sorted(kept, key=lambda each: (each.span is None, each.span or (), order[each])), findings


def _holds(path: Path, larger: Split, smaller: Split, many: dict[str, np.ndarray], few: dict[str, np.ndarray]) -> bool:
    """Returns whether a file holds all images of another one: the same topics and log times, and the same first message."""
    common = {name: np.intersect1d(many[name], few[name]) for name in many.keys() & few.keys()}
    count = sum(map(len, common.values()))
    if not count:
        return False
    name = next(name for name in sorted(common) if len(common[name]))
    first, second = (_message(split, name, int(common[name][0])) for split in (larger, smaller))
    if first is not None and second is not None and first != second:
        return False
    further = {topic.name for topic in smaller.topics if topic.count} - {topic.name for topic in larger.topics}
    if further or count < sum(len(np.unique(times)) for times in few.values()):
        raise InputError(
            f"{path}: {larger.file.path.name} and {smaller.file.path.name} have {count} images in common, and other "
            "messages that differ; give one of them, or move one away"
        )
    return True


def _message(split: Split, topic: str, time: int) -> bytes | None:
    message = next(split.messages({topic: IMAGES}, since=time), None)
    return bytes(message.raw) if message and message.problem is None else None


@contextlib.contextmanager
def one_line(name: str = "") -> Iterator[None]:
    """Turns any exception of a library over damaged bytes into an InputError of one line."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{name}{error}") from None
    except OSError as error:
        raise InputError(f"{name}{error.strerror or error}") from None
    except Exception as error:  # noqa: BLE001 (SQLite, zstd, lz4, NumPy and rosbags have different ones)
        raise InputError(f"{name}damaged ({reason_of(error)})") from None
