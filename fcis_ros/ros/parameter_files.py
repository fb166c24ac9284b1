# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""``python -m fcis_ros.ros.parameter_files`` writes the table of parameters into config/fcis_node.yaml and docs/node.md.

A test compares the files with the table.
"""

import json
from pathlib import Path

from fcis_ros.ros.params import PARAMETERS, Parameter

ROOT = Path(__file__).resolve().parents[2]
BEGIN, END = "<!-- parameters: made by parameter_files.py -->\n", "<!-- end of parameters -->\n"


def literal(value: object) -> str:
    """A default as YAML."""
    return json.dumps(value)


def yaml_text() -> str:
    """Every parameter with its default, as a parameter file."""
    lines = ["# Every parameter of fcis_node with its default: a file to copy from. docs/node.md is about the node.",
             "/**:", "  ros__parameters:"]  # fmt: skip
    for row in PARAMETERS:
        lines += ["", f"    # {row.description}", f"    {row.name}: {literal(row.default)}"]
    return "\n".join(lines) + "\n"


def markdown_row(row: Parameter) -> str:
    when = "start" if row.read_only else "any time"
    values = row.constraint or type(row.default).__name__
    return f"| `{row.name}` | `{literal(row.default)}` | {values} | {when} | {row.description} |"


def markdown_text() -> str:
    """The table of docs/node.md."""
    head = ["| parameter | default | values | set at | |", "|---|---|---|---|---|"]
    return "\n".join([*head, *map(markdown_row, PARAMETERS)]) + "\n"


def with_table(document: str) -> str:
    """A document with its table replaced."""
    before, rest = document.split(BEGIN)
    return before + BEGIN + markdown_text() + END + rest.split(END)[1]


if __name__ == "__main__":
    (ROOT / "config" / "fcis_node.yaml").write_text(yaml_text())
    docs = ROOT / "docs" / "node.md"
    docs.write_text(with_table(docs.read_text()))
