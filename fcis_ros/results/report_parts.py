# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Formatted numbers of reports, and report.json."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fcis_ros.files import atomic_path
from fcis_ros.findings import counted


def format_number(value: float | None, digits: int = 3) -> str:
    """Formats a number; None, of a class without ground truth for instance, is a dash."""
    return "–" if value is None else f"{value:.{digits}f}"


def lost_row(findings: Sequence[Mapping[str, Any]]) -> tuple[str, str] | None:
    """Returns the row of a table that says that something could not be used; None if nothing is lost.

    Args:
        findings: findings of report.json.
    """
    lost = sum(finding["lost"] for finding in findings)
    return ("NOT ALL USED", f"{counted(lost, 'finding')}, below and in report.json") if lost else None


def write_json(report: Mapping[str, Any], path: Path) -> None:
    """Writes report.json; after an error the file is as it was before."""
    with atomic_path(path) as partial:
        partial.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
