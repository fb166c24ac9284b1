# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Parts of an evaluation -> the whole, with its report."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fcis_ros.cli.output import finished_folder, writable
from fcis_ros.cli.report import report
from fcis_ros.results.merge import Part, merge, progress


def write_whole(parts: Sequence[Part], what: dict[str, Any], out: Path, baseline: str | None, tolerance: float | None) -> int:
    """Joins the parts of ``merging.find_parts`` in a folder, which may hold an earlier whole, and reports.

    Returns:
        The exit status: 1 if it is worse than the baseline.
    """
    with finished_folder(out, proof="merge.json") as folder:
        merge(parts, what, folder)
        merged = [part.number for part in parts if part.path]
        (folder / "merge.json").write_text(json.dumps({"parts": len(parts), "merged": merged}) + "\n")
    print("\n".join(progress(parts)))
    with writable(out):
        return report(out, None, baseline, tolerance)
