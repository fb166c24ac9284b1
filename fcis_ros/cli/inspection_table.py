# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Inspections as a table for the terminal."""

import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

from fcis_ros.cli.output import printable
from fcis_ros.findings import Inspection

WIDTH = 110  # columns of a line, unless a word is longer
LEAST, MOST = 16, 26  # columns of the names


def table(inspections: Iterable[Inspection]) -> str:
    """Returns a paragraph for every path: its kind, facts, what cannot be used, remarks, and what commands would do."""
    return "\n\n".join("\n".join(_paragraph(inspection)) for inspection in inspections)


def _paragraph(inspection: Inspection) -> Iterator[str]:
    yield printable(f"{inspection.path}: {inspection.kind}")
    width = min(max(LEAST, *map(len, inspection.facts), 0), MOST)
    for name, value in inspection.facts.items():
        yield from _row(name, _text(value), width)
    for title, lost in (("CANNOT BE USED", True), ("remark", False)):
        for finding in inspection.findings:
            if finding.lost == lost:
                yield from _row(title, str(finding), width)
    for command, effect in inspection.uses.items():
        yield from _wrapped(f"  -> {printable(command)}: ", effect, " " * 5)


def _row(name: str, text: str, width: int) -> Iterator[str]:
    yield from _wrapped(f"  {printable(name):<{width}}  ", text, " " * (width + 4))


def _wrapped(head: str, text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        head + printable(text), WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )  # fmt: skip


def _text(value: Any) -> str:
    """A value of a JSON type, as it is read."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(count)}" for name, count in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return "none" if value is None else str(value)
