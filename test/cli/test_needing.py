# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""In a separate process, where a library cannot be imported."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("module", "needed", "hint"), [("rosbags", "clip.mcap", "pip install rosbags"), ("rclpy", "images", "source a ROS 2")]
)
def test_demo_names_the_library_that_is_missing(module, needed, hint, model, images, tmp_path):
    (tmp_path / "clip.mcap").write_bytes(b"")
    arguments = ["demo", str(tmp_path / needed), "--out", str(tmp_path / "out"), "--checkpoint", str(model)]
    code = f"import sys; sys.modules[{module!r}] = None; from fcis_ros.cli.main import main; sys.exit(main({arguments!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"fcis: {module}") and "not usable here" in done.stderr and hint in done.stderr
    assert not list(tmp_path.glob("out*"))
