# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Writes the table of parameters into config/fcis_node.yaml and docs/node.md; a test compares them with the table."""

import json
from pathlib import Path

from fcis_ros.ros.params import PARAMETERS, Parameter

ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- parameters: made by tools/write_parameter_tables.py -->\n", "<!-- end of parameters -->\n"


def yaml_text() -> str:
    """Returns a parameter file with every parameter and its default."""
    lines = ["# Every parameter of fcis_node with its default: a file to copy from. docs/node.md describes the node.",
             "/**:", "  ros__parameters:"]  # fmt: skip
    for row in PARAMETERS:
        lines += ["", f"    # {row.description}", f"    {row.name}: {json.dumps(row.default)}"]
    return "\n".join(lines) + "\n"


def markdown_row(row: Parameter) -> str:
    when = "start" if row.read_only else "any time"
    values = row.constraint or type(row.default).__name__
    return f"| `{row.name}` | `{json.dumps(row.default)}` | {values} | {when} | {row.description} |"


def with_table(document: str) -> str:
    """Returns docs/node.md with a new table."""
    before, rest = document.split(BEGIN)
    head = ["| parameter | default | values | set at | |", "|---|---|---|---|---|"]
    table = "\n".join([*head, *map(markdown_row, PARAMETERS)]) + "\n"
    return before + BEGIN + table + END + rest.split(END)[1]


if __name__ == "__main__":
    (ROOT / "config" / "fcis_node.yaml").write_text(yaml_text())
    document = ROOT / "docs" / "node.md"
    document.write_text(with_table(document.read_text()))
