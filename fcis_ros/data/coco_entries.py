# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Reads the JSON of a COCO instance file and checks the types of its entries."""

import json
import math
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fcis_ros.errors import InputError

REQUIRED = {
    "images": ("id", "file_name", "height", "width"),
    "annotations": ("image_id", "category_id"),
    "categories": ("id", "name"),
}
OPTIONAL = ("iscrowd", "bbox", "area", "stamp_ns", "track_id")


def read_entries(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Returns ``images``, ``annotations`` and ``categories`` of a file; segmentations are not checked.

    Raises:
        InputError: the file is missing or not JSON, a key is missing, or has a value of the wrong type.
    """
    content = _parse(path)
    for section, keys in REQUIRED.items():
        entries = content.get(section) if isinstance(content, dict) else None
        if not isinstance(entries, list):
            raise InputError(f"{path}: not a COCO instance file, it has no list '{section}'")
        for i, entry in enumerate(entries):
            _check_entry(f"{path}: {section}[{i}]", entry, keys)
    return content


def _parse(path: Path) -> Any:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: no such annotation file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(f"{path}: encoded as UTF-16; JSON files are UTF-8, save it as that")
    try:
        return json.loads(data.decode("utf-8-sig"))  # editors on Windows begin a file with a byte order mark
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON ({error})") from None


def _check_entry(title: str, entry: Any, keys: Sequence[str]) -> None:
    if not isinstance(entry, dict):
        raise InputError(f"{title} has no '{keys[0]}'")
    for key in keys:
        if key not in entry:
            raise InputError(f"{title} has no '{key}'")
    for key in (*keys, *(key for key in OPTIONAL if entry.get(key) is not None)):
        if not _plausible(key, entry[key]):
            raise InputError(f"{title} has the wrong type of '{key}': {ascii(entry[key])[:80]}")
    for key in ("file_name", "name"):
        if key in keys and not _printable(entry[key]):
            raise InputError(f"{title} has a control character in '{key}': {ascii(entry[key])[:80]}")


def _plausible(key: str, value: Any) -> bool:
    if key in ("file_name", "name"):  # a file system takes 255 bytes between slashes
        if not isinstance(value, str) or not 0 < len(value) < 1000:
            return False
        return key == "name" or max(len(part.encode("utf-8", "surrogatepass")) for part in value.split("/")) <= 255
    if key == "iscrowd":
        return value in (0, 1)
    if key == "area":
        return finite(value) and value >= 0
    if key == "bbox":
        return isinstance(value, list) and len(value) in (0, 4) and all(map(finite, value))
    return whole(value) and (0 < value < 2**31 or key not in ("height", "width"))


def _printable(text: str) -> bool:
    """Returns whether a name fits into one line; blanks of all kinds, and characters without width, are parts of names."""
    return text.isprintable() or not {unicodedata.category(character) for character in text} & {"Cc", "Cs", "Zl", "Zp"}


def whole(value: Any) -> bool:
    """Returns whether a value is a whole number of at most 63 bits."""
    return type(value) is int and -(2**63) < value < 2**63


def finite(value: Any) -> bool:
    """Returns whether a value is a finite number."""
    return (type(value) is float and math.isfinite(value)) or whole(value)
