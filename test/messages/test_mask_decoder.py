# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The C++ decoder, compiled here, against the vectors and the Python decoder."""

import json
import os
import subprocess
from pathlib import Path

import compiled
import numpy as np
import pytest

from fcis_ros import rle

HERE = Path(__file__).parent
INCLUDE = HERE.parents[1] / "include"
VECTORS = json.loads((HERE / "mask_vectors.json").read_text())
FLAGS = ["-std=c++17", "-O1", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror", "-fsanitize=undefined,address"]
FLAGS += ["-fno-sanitize-recover=all", f"-I{INCLUDE}"]
pytestmark = pytest.mark.compiler


@pytest.fixture(scope="module")
def program() -> Path:
    return compiled.build([(HERE / "mask_decoder.cpp", FLAGS)], ["-fsanitize=undefined,address"])


def run(program: Path, cases: list[dict]) -> list[str]:
    lines = []
    for case in cases:
        numbers = [case["height"], case["width"], *case["roi"], case["area"], len(case["rle"]), *case["rle"]]
        lines.append(" ".join(map(str, numbers)))
    # The sanitizer wants to be loaded first; whatever else preloads itself stays out.
    clean = {key: value for key, value in os.environ.items() if key not in ("LD_PRELOAD", "LD_LIBRARY_PATH")}
    done = subprocess.run([program], input="\n".join(lines), capture_output=True, text=True, timeout=60, env=clean)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_decoder_valid_vectors_match_pictures(program):
    answers = run(program, VECTORS["valid"])
    for case, answer in zip(VECTORS["valid"], answers, strict=True):
        picture = "".join(case["picture"])
        front, back = picture.replace("#", "1").replace(".", "0"), picture.replace("#", "0").replace(".", "1")
        assert answer == f"ok same {front} {back}", case["name"]


def test_decoder_invalid_vectors_are_refused(program):
    answers = run(program, VECTORS["invalid"])
    for case, answer in zip(VECTORS["invalid"], answers, strict=True):
        assert answer.startswith("error "), case["name"]


def test_decoder_random_masks_agree_with_python(program):
    random = np.random.default_rng(0)
    cases, expected = [], []
    for _ in range(50):
        height, width = random.integers(1, 20, 2).tolist()
        h, w = int(random.integers(1, height + 1)), int(random.integers(1, width + 1))
        y, x = int(random.integers(0, height - h + 1)), int(random.integers(0, width - w + 1))
        crop = random.random((h, w)) < random.random()
        mask = np.zeros((height, width), np.uint8)
        mask[y : y + h, x : x + w] = crop
        cases.append({"height": height, "width": width, "roi": [x, y, w, h], "area": int(crop.sum()),
                      "rle": rle.encode(crop).tolist()})  # fmt: skip
        expected.append("ok same " + "".join(map(str, mask.ravel())) + " " + "".join(map(str, 1 - mask.ravel())))
    assert run(program, cases) == expected


@pytest.mark.ros
def test_decoder_accepts_generated_message(tmp_path):
    """Compiles (not links) against the messages that the build generated."""
    prefixes = [Path(prefix) / "include" for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if prefix]
    folders = [folder for prefix in prefixes if prefix.is_dir() for folder in (prefix, *sorted(prefix.iterdir()))]
    assert any((folder / "fcis_ros" / "msg" / "instance_mask_array.hpp").is_file() for folder in folders)
    source = tmp_path / "use.cpp"
    source.write_text(
        "#include <fcis_ros/msg/instance_mask_array.hpp>\n#include <fcis_ros/instance_mask.hpp>\n"
        "auto use(const fcis_ros::msg::InstanceMaskArray & array)\n"
        "{ return fcis_ros::foreground(array.masks.at(0), array.height, array.width); }\n"
    )
    includes = [f"-I{INCLUDE}", *(f"-I{folder}" for folder in folders)]
    compiled.run([compiled.CXX, "-std=c++17", "-fsyntax-only", *includes, source])
