# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Imports point one way, from the lower layers to the upper ones; CONTRIBUTING.md draws them."""

import ast
from collections import Counter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "fcis_ros"
# Single files that every layer may use.
ROOT = {"errors", "findings", "boxes", "rle", "structures", "config", "omp", "image_checks", "image_decoding", "encodings"}
ROOT |= {"image_headers", "package_data", "versions", "files", "dds_profile"}
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
    "training": DATA | {"metrics", "training"},
    "tracking": ROOT | {"column_runs", "tracking"},
    "messages": ROOT | {"messages"},
    "bags": DATA | {"messages", "bags"},
    "metrics": DATA | {"metrics"},
    "results": EVALUATION - {"evaluation"},
    "evaluation": EVALUATION,
    "ros": DATA | {"messages", "tracking", "ros"},
    "cli": EVALUATION | {"training", "cli"},
    "__main__": {"cli", "errors"},
    "__init__": ROOT | {"model"},
}
TESTED_ELSEWHERE = {
    "cli/convert.py": "data/test_instance_maps.py",
    "encodings.py": "messages/test_image_messages.py",
    "errors.py": "cli/test_main.py",
    "evaluation/clip_ground_truth.py": "evaluation/test_ground_truth_topic.py",
    "ops/reference/pixels.py": "ops/reference/test_mask_voting.py",
    "ops/reference/roi_boxes.py": "ops/test_decode.py",
    "ros/executor_waker.py": "ros/test_segment_service.py",
    "ros/node_diagnostics.py": "ros/test_fcis_node.py",
    "ros/transition_thread.py": "ros/test_lifecycle.py",
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
    live_replay = PACKAGE / "evaluation/replay.py"  # runs a node, too
    if layer(path) != "ros" and path != live_replay:
        ros = ("rclpy", "cv_bridge", "fcis_ros.msg")
        assert not {name for name in imports(path) if name.startswith(ros)}


def test_no_generated_module_in_the_sources():
    assert not (PACKAGE / "msg").exists()  # the build generates fcis_ros.msg; sources of that name would hide it


def test_package_file_and_class_names_are_unique():
    files = Counter(path.name for path in FILES if path.name != "__init__.py")
    nodes = [node for path in FILES for node in ast.parse(path.read_text()).body]
    classes = Counter(node.name for node in nodes if isinstance(node, ast.ClassDef))
    assert len(classes) > 100 and not [name for name, count in (files + classes).items() if count > 1]


def test_package_file_names_are_not_those_of_libraries():
    libraries = {name for path in FILES for name in imports(path)}
    libraries = {name.split(".")[0] for name in libraries if not name.startswith("fcis_ros")}
    assert {"torch", "numpy", "ray", "fsspec"} <= libraries and not libraries & {path.stem for path in FILES}


def test_package_module_has_a_test_file_of_its_name():
    tests = PACKAGE.parent / "test"
    names = {path.relative_to(PACKAGE).as_posix() for path in FILES if path.name not in ("__init__.py", "__main__.py")}
    untested = {name for name in names if not (tests / name).with_name(f"test_{Path(name).name}").is_file()}
    assert untested == set(TESTED_ELSEWHERE)
    assert all((tests / name).is_file() for name in TESTED_ELSEWHERE.values())
