# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Imports point one way, from the lower layers to the upper ones.

boxes, structures, config <- ops <- model <- data | training | tracking | messages <- bags | metrics <- results <- evaluation
<- ros <- cli
"""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "fcis_ros"
# Single files that every layer may use.
ROOT = {"errors", "boxes", "rle", "structures", "config", "omp", "image_checks", "image_decoding", "encodings", "package_data"}
ROOT |= {"versions", "files", "dds_profile"}
MODEL = ROOT | {"ops", "overlay", "column_runs", "model"}
DATA = MODEL | {"data"}
EVALUATION = DATA | {"messages", "tracking", "bags", "metrics", "results", "evaluation"}
ALLOWED = {
    **{name: ROOT for name in ROOT},
    "ops": ROOT | {"ops"},
    "overlay": ROOT | {"ops"},
    "column_runs": ROOT | {"ops"},
    "model": MODEL,
    "data": DATA,
    "training": DATA | {"training"},
    "tracking": ROOT | {"column_runs", "tracking"},
    "messages": ROOT | {"messages"},
    "bags": DATA | {"messages", "bags"},
    "metrics": DATA | {"metrics"},
    "results": EVALUATION - {"evaluation"},
    "evaluation": EVALUATION,
    "ros": DATA | {"messages", "tracking", "ros"},
    "cli": EVALUATION | {"training", "ros", "cli"},
    "__main__": {"cli", "errors"},
    "__init__": ROOT | {"model"},
}
FILES = sorted(PACKAGE.rglob("*.py"))


def imports(path: Path) -> set[str]:
    """Full names of all modules that a file imports, wherever in the file; ``from a import b`` counts as a and a.b."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            folder = list(path.relative_to(PACKAGE.parent).parts[:-1])
            base = folder[: len(folder) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            names |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return names


def layer(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path):
    here = layer(path)
    assert here in ALLOWED, f"{here} is not among the layers"
    inside = {name.split(".")[1] for name in imports(path) if name.startswith("fcis_ros.")}
    layers = {layer(file) for file in FILES}
    assert (inside & layers) <= ALLOWED[here]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_ros_imports_ros(path):
    live = (PACKAGE / "evaluation/replay.py", PACKAGE / "messages/mask_messages.py")  # the live replay is a node too
    if layer(path) != "ros" and path not in live:
        ros = ("rclpy", "cv_bridge", "fcis_ros.msg")
        assert not {name for name in imports(path) if name.startswith(ros)}


def test_no_generated_module_in_the_sources():
    assert not (PACKAGE / "msg").exists()  # the build generates fcis_ros.msg; sources of that name would hide it
