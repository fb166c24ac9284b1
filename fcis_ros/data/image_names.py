# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The one rule by which names of images in annotation files are compared, and found in a folder."""

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote

Parts = tuple[str, ...]


def name_parts(name: str) -> Parts:
    """Returns the folders and the file name of a recorded path, for comparison.

    Backslashes separate like slashes, as in files from Windows. Drives, hosts of URLs, a ``?d=`` of Label Studio, ``.``, and
    ``..`` with everything before it have no meaning on this machine and are dropped. Letters are in Unicode's form NFC, as
    macOS decomposes them.
    """
    text = unicodedata.normalize("NFC", name).replace("\\", "/")
    text = re.sub(r"^.*\?d=", "", text)
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", text):
        text = re.sub(r"^[^:]+://[^/]*|\?.*", "", text)
    text = re.sub(r"^[A-Za-z]:(?=/)", "", text)
    parts = [part for part in text.split("/") if part not in ("", ".")]
    while ".." in parts:
        parts = parts[parts.index("..") + 1 :]
    return tuple(parts)


def variants(name: str) -> list[Parts]:
    """Returns the ``name_parts`` of a name, then those of the name without URL quotes (%20) if it has some."""
    return list(dict.fromkeys(parts for parts in (name_parts(name), name_parts(unquote(name))) if parts))


class ImageFolder:
    """The files of the images of an annotation file.

    A path as recorded, relative to the folder, comes first; next is the longest end of it that exists in the folder, down to
    the bare name. An end counts only if no other image of the annotation file has it. No path outside of the folder is found.

    Args:
        folder: folder of the images.
        names: names of all images in the annotation file.
    """

    def __init__(self, folder: Path, names: Iterable[str]):
        self.folder = folder
        self._ends = Counter(end for name in names for end in {end for parts in variants(name) for end in _ends(parts)})
        self._listings: dict[Path, dict[str, str]] = {}

    def path_of(self, name: str) -> Path:
        """Returns the file of an image; if there is none, the path where it should be."""
        recorded = Path(name)
        if not recorded.is_absolute() and ".." not in recorded.parts and (self.folder / name).is_file():
            return self.folder / name
        candidates = variants(name)
        for parts in candidates:
            for end in _ends(parts):
                unique = self._ends[end] <= 1 or end == parts
                if unique and (path := self._existing(end)):
                    return path
        return self.folder.joinpath(*(candidates[0] if candidates else (name.replace("/", "_"),)))

    def _existing(self, parts: Parts) -> Path | None:
        path = self.folder.joinpath(*parts)
        if path.is_file():
            return path
        path = self.folder
        for part in parts:  # the disk may have the name in another of Unicode's forms
            if (stored := self._listing(path).get(part)) is None:
                return None
            path /= stored
        return path if path.is_file() else None

    def _listing(self, folder: Path) -> dict[str, str]:
        """Returns {name in NFC: name on the disk}; {} if there is no such folder."""
        if folder not in self._listings:
            try:
                names = os.listdir(folder)
            except OSError:
                names = []
            self._listings[folder] = {unicodedata.normalize("NFC", name): name for name in names}
        return self._listings[folder]


def _ends(parts: Parts) -> list[Parts]:
    """Returns a path and its ends, the longest first, the bare file name last."""
    return [parts[start:] for start in range(len(parts))]
