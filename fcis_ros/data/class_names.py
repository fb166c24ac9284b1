# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Matches the class names of files and recordings with those of a model."""

import difflib
import unicodedata
from collections import defaultdict
from collections.abc import Sequence

from fcis_ros.errors import InputError

SIMILAR = 0.75  # share of common letters from which a name is suggested for another
INVISIBLE = dict.fromkeys([0x200B, 0x2060, 0xFEFF])  # zero-width space, word joiner, byte order mark


def class_key(name: str) -> str:
    """Returns what equal names have in common: neither case, blanks around or repeated, nor Unicode's form differ."""
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
    return " ".join(folded.translate(INVISIBLE).split())


def match_classes(names: Sequence[str], class_names: Sequence[str], origin: str) -> list[int | None]:
    """Returns the label 1..C of each name, None for a name that is none of the model's classes.

    A class with exactly the name comes first, then one with an equal ``class_key``.

    Args:
        names: class names of a file.
        class_names: C classes of the model.
        origin: name of the file, for messages.

    Raises:
        InputError: several classes of the model equal a name.
    """
    exact = {name: label for label, name in enumerate(class_names, start=1)}
    by_key: dict[str, list[int]] = defaultdict(list)
    for label, name in enumerate(class_names, start=1):
        by_key[class_key(name)].append(label)
    labels: list[int | None] = []
    for name in names:
        found = [exact[name]] if name in exact else by_key.get(class_key(name), [])
        if len(found) > 1:
            classes = ", ".join(class_names[label - 1] for label in found)
            raise InputError(f"{origin}: class {name!r} may be any of the model's classes {classes}")
        labels.append(found[0] if found else None)
    return labels


def similar_name(name: str, others: Sequence[str]) -> str | None:
    """Returns the name among others that it may be a misspelling of; None if there is none."""
    keys = {class_key(other): other for other in others}
    found = difflib.get_close_matches(class_key(name), keys, 1, SIMILAR)
    return keys[found[0]] if found else None
