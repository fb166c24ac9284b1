# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""What readers notice about their input: one line each, for the terminal, reports, provenance and ``fcis check``."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

USED, REGRESSION, UNUSABLE = 0, 1, 2  # exit statuses of commands; argparse and InputError end with UNUSABLE, too
LISTED = 20  # maximum number of names in one line


@dataclass(frozen=True)
class Finding:
    """One thing about an input that its user should know.

    Attributes:
        source: file, folder or recording, without folders of the machine where it goes into a report.
        text: what was found, with the number of frames, images or objects that it concerns.
        lost: whether it was asked for and could not be used. A command that leaves it out ends with ``UNUSABLE``. False for a
            remark: two files hold the same frames, a class of the file is none of the model's.
    """

    source: str
    text: str
    lost: bool = True

    def __str__(self) -> str:
        return f"{self.source}: {self.text}"


class Unusable(NamedTuple):
    """The name of an image, frame or annotation that cannot be used, and the reason."""

    name: str
    reason: str


@dataclass(frozen=True)
class Inspection:
    """What ``fcis check`` says about one path.

    Attributes:
        path: path as it was given.
        kind: kind of input, such as ``recording``, ``images``, ``annotations``, ``checkpoint``, ``training configuration``.
        facts: {name: value of a JSON type} in the order of the table: frames, codecs, sizes, classes with counts and so on.
        uses: {command: what it would do with the input}.
        findings: what is lost, and remarks.
    """

    path: str
    kind: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    uses: Mapping[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


def to_json(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Returns findings as JSON objects, for run.json, report.json and provenance."""
    return [asdict(finding) for finding in findings]


def from_json(entries: Iterable[Mapping[str, Any]]) -> tuple[Finding, ...]:
    """Returns the findings of ``to_json``."""
    return tuple(Finding(entry["source"], entry["text"], entry["lost"]) for entry in entries)


def exit_status(findings: Iterable[Finding], regressed: bool = False) -> int:
    """Returns the exit status of a command: what could not be used comes before a regression, which it may have caused."""
    if any(finding.lost for finding in findings):
        return UNUSABLE
    return REGRESSION if regressed else USED


def by_reason(source: str, unit: str, unusable: Iterable[tuple[str, str]]) -> tuple[Finding, ...]:
    """Returns what was left out and why: a finding per reason, with the number of names and the first of them.

    Args:
        source: folder, file or recording that they belong to.
        unit: what they are, in the singular: ``image``.
        unusable: name and reason of everything that was left out.
    """
    reasons: dict[str, list[str]] = {}
    for name, reason in unusable:
        reasons.setdefault(reason, []).append(name)
    return tuple(
        Finding(source, f"{counted(len(names), unit)}: {reason}: {listing(names)}") for reason, names in reasons.items()
    )


def left_out(source: str, unusable: Collection[tuple[str, str]], total: int) -> tuple[Finding, ...]:
    """Returns the finding for images that cannot be used.

    Args:
        source: folder or file of the images.
        unusable: file name and reason of each.
        total: number of images that are asked for.
    """
    names = listing(f"{name} ({reason})" for name, reason in unusable)
    return (Finding(source, f"{len(unusable)} of {total} images cannot be used: {names}"),) if unusable else ()


def source_of(path: Path) -> str:
    """Returns the name of a file or folder as the source of a finding, also for ``.`` and ``..``: without folders around it."""
    name = path.resolve().name if path.name in ("", "..") else path.name
    return name or str(path)


def counted(number: int, unit: str) -> str:
    """Returns a number with its unit, given in the singular: 1 image, 2 images."""
    return f"{number} {unit}{'' if number == 1 else 's'}"


def listing(names: Iterable[str], most: int = LISTED) -> str:
    """Returns names as one text, those behind the first ``most`` as their number."""
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def shortened(lines: Sequence[str], rest: str = "") -> list[str]:
    """Returns lines, those behind the first ``LISTED`` as one with their number, and where the ``rest`` is."""
    more = [f"and {len(lines) - LISTED} more{rest}"] if len(lines) > LISTED else []
    return [*lines[:LISTED], *more]
