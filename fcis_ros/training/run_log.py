# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""``log.jsonl`` of a run: a row of losses every few steps, a row for every evaluation; "step" counts the steps done."""

import json
import os
from pathlib import Path
from typing import Any


class RunLog:
    """Appends rows to a log.

    Args:
        path: the file.
        step: the steps of the state that the run goes on from; rows behind it, of steps that were lost and will be done again,
            are removed, and so is a row that was cut short.
        writes: False in a process that only wants to know what is there.
    """

    def __init__(self, path: Path, step: int, writes: bool = True):
        rows = [row for row in read_log(path) if row["step"] <= step] if path.exists() else []
        self.evaluated = {row["step"] for row in rows if "evaluation" in row}
        self._file = None
        if not writes:
            return
        aside = path.with_name(path.name + ".partial")
        aside.write_text("".join(json.dumps(row) + "\n" for row in rows))
        os.replace(aside, path)
        self._file = open(path, "a")

    def __enter__(self) -> "RunLog":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def write(self, **row: Any) -> None:
        """Adds a row; it is in the file when this returns."""
        if self._file:
            print(json.dumps(row), file=self._file, flush=True)


def read_log(path: Path) -> list[dict[str, Any]]:
    """The rows of a log; a line that is not one is left out."""
    rows = []
    for line in path.read_text(errors="replace").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and isinstance(row.get("step"), int):
            rows.append(row)
    return rows
