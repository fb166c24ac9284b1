# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Shared memory of Fast DDS: a process that is killed leaves its segments in /dev/shm, up to 70 MB each."""

import os
import re
from pathlib import Path

FOLDER = Path("/dev/shm")
NAMES = re.compile(r"(sem\.)?fast(dds|rtps)_")


def segments() -> set[Path]:
    """Files of Fast DDS's shared-memory transport, of all processes of this user."""
    return {path for path in FOLDER.glob("*") if NAMES.match(path.name) and _owner(path) == os.getuid()}


def _owner(path: Path) -> int | None:
    try:
        return path.stat().st_uid
    except FileNotFoundError:  # removed meanwhile
        return None


def in_use() -> set[Path]:
    """Files in /dev/shm that a running process has mapped or open."""
    used = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            used.update(re.findall(r"/dev/shm/\S+", (process / "maps").read_text()))
            used.update(str(descriptor.readlink()) for descriptor in (process / "fd").iterdir())
        except OSError:  # the process has ended or belongs to another user
            continue
    return {Path(name) for name in used if name.startswith(str(FOLDER))}


def remove_abandoned(before: set[Path]) -> list[Path]:
    """Removes the unused segments that are not in ``before``; returns their paths."""
    abandoned = sorted(segments() - before - in_use())
    for path in abandoned:
        path.unlink(missing_ok=True)
    return abandoned
