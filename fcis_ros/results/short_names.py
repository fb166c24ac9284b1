# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Names of recordings in a report, which is passed on: without the folders of the machine that made it."""

from collections.abc import Sequence


def short_names(paths: Sequence[str]) -> list[str]:
    """Returns the last part of each path or URL; of all as many more as tell different ones apart."""
    split = [tuple(part for part in path.split("/") if part not in ("", ".")) for path in paths]
    for count in range(1, max(map(len, split), default=0) + 1):
        shortened = [parts[-count:] for parts in split]
        if len({*shortened}) == len({*split}):
            return ["/".join(parts) or path for parts, path in zip(shortened, paths, strict=True)]
    return list(paths)


def without_folders(text: str, paths: Sequence[str]) -> str:
    """Returns a text in which each of the paths is replaced by its short name."""
    names = dict(zip(paths, short_names(paths), strict=True))
    for path in sorted(names, key=len, reverse=True):
        text = text.replace(path, names[path]) if len(path) > len(names[path]) else text
    return text
