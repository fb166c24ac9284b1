# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""A recording as a source of frames, with times at which they can be played."""

import itertools
from collections.abc import Iterator
from pathlib import Path

from fcis_ros.bags.reader import open_recording
from fcis_ros.data.frame_sources import FOLDER_RATE, Frame, FrameSource, some_usable
from fcis_ros.errors import InputError
from fcis_ros.findings import Unusable

MAX_TIME = 2**31 * 1_000_000_000  # ns: a header's stamp has 31 bits of seconds
MAX_DURATION = 86400.0  # seconds; longer recordings need a rate
STAMPS_SLACK = 10.0  # seconds by which the stamps' duration may exceed the recording's


def open_bag(
    path: Path,
    rate: float | None = None,
    frames: int | None = None,
    topic: str | None = None,
) -> FrameSource:
    """Opens the images of a recording.

    Stamps are those of the images if these can be played: increasing, and not spread much wider than the times of recording (a
    camera that sets its clock leaps). Otherwise they are the times of recording.

    Args:
        path: folder or file.
        rate: frames per second; None for the rate of the recording.
        frames: maximum number of messages; None for all.
        topic: topic of the images; None if only one topic has images.

    Raises:
        InputError: the recording cannot be used. Its frames raise it too, at the end, if no message was usable.
    """
    recording = open_recording(path, topic)
    stamps, log_times = [], []
    reason = None
    for record in itertools.islice(recording.frames(), frames):
        if record.problem is None:
            stamps.append(record.stamp)
            log_times.append(record.log_time)
        reason = reason or record.problem
    if not stamps:
        raise InputError(f"{path}: none of {recording.count} messages on {recording.topic} can be read ({reason})")
    times = playable(stamps, log_times)
    seconds = (times[-1] - times[0]) / 1e9
    if times[0] < 0 or times[-1] >= MAX_TIME:
        raise InputError(f"{path}: recorded before 1970 or after 2038, says its clock")
    if rate is None and seconds > MAX_DURATION:
        raise InputError(f"{path}: {len(times)} frames in {seconds / 3600:.0f} hours; choose a rate (--rate)")
    recorded_rate = min((len(times) - 1) / max(seconds, 1e-3), 1000.0) if len(times) > 1 else FOLDER_RATE

    def read() -> Iterator[Frame | Unusable]:
        remaining = iter(times)
        for record in itertools.islice(recording.frames(), frames):
            try:
                time = next(remaining) if record.problem is None else 0  # that of an unreadable message is not known
                frame: Frame | Unusable = Frame(record.name, time, record.image())
            except InputError as error:
                frame = Unusable(record.name, str(error).removeprefix(f"frame {record.name} of {record.topic}: "))
            yield frame

    description = f"bag {path}, topic {recording.topic}"
    count = min(recording.count, frames or recording.count)
    return FrameSource(description, rate or recorded_rate, count, lambda: some_usable(read(), description), recording.findings)


def playable(stamps: list[int], log_times: list[int]) -> list[int]:
    """Returns strictly increasing times for frames: the stamps if these can be played, else the log times, in nanoseconds."""
    increasing = all(earlier < later for earlier, later in itertools.pairwise(stamps))
    longest = 2 * (log_times[-1] - log_times[0]) + STAMPS_SLACK * 1e9
    if increasing and stamps[0] >= 0 and stamps[-1] - stamps[0] <= longest:
        return stamps
    return list(itertools.accumulate(log_times, lambda last, time: max(time, last + 1)))
