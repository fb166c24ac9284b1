# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Real dash-cam frames: the accuracy that the README promises, from the command line and from the node process."""

import json
from pathlib import Path

import pytest

from fcis_ros.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
PROMISED = json.loads((ROOT / "weights" / "fcis_road_lite0.camvid_val.json").read_text())["ap"]


def test_default_model_on_val_frames_has_the_documented_accuracy(shared_data, tmp_path):
    """Every frame, in fp32, in which the promise was measured."""
    camvid, out = shared_data / "camvid", tmp_path / "out"
    files = ["--annotations", str(camvid / "instances_val.json"), "--images", str(camvid / "val")]
    assert main(["evaluate", *files, "--precision", "fp32", "--out", str(out)]) == 0
    found = json.loads((out / "report.json").read_text())["ap"]
    for measure in ("AP", "AP50"):
        assert found["segm"][measure] == pytest.approx(PROMISED["segm"][measure], abs=0.005)
    assert found["per_class"]["car"] == pytest.approx(PROMISED["per_class"]["car"], abs=0.005)


@pytest.mark.ros
def test_node_on_val_frames_has_the_accuracy_of_the_model(shared_data, tmp_path):
    """In real time: how many frames it answers is the machine's affair, and fewer frames say less."""
    camvid, out = shared_data / "camvid", tmp_path / "out"
    arguments = [str(camvid / "val"), "--annotations", str(camvid / "instances_val.json"), "--rate", "3", "--out", str(out)]
    assert main(["demo", *arguments]) == 0
    report = json.loads((out / "report.json").read_text())
    assert report["frames_in"] == 101 and report["frames_out"] >= 20
    assert report["ap_answered"]["segm"]["AP50"] >= PROMISED["segm"]["AP50"] - 0.1
    assert report["ap_answered"]["per_class"]["car"] >= PROMISED["per_class"]["car"] - 0.1
