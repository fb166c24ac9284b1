# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Real dash-cam frames through the node process: the accuracy that the README promises."""

import json
from pathlib import Path

import pytest

from fcis_ros.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
PROMISED = ROOT / "weights" / "fcis_road_r18.camvid_val.json"


@pytest.mark.ros
def test_the_node_is_as_accurate_as_promised(shared_data, tmp_path):
    camvid = shared_data / "camvid"
    out = tmp_path / "out"
    arguments = [str(camvid / "val"), "--annotations", str(camvid / "instances_val.json"), "--rate", "3", "--out", str(out)]
    assert main(["demo", *arguments]) == 0
    report, promised = json.loads((out / "report.json").read_text()), json.loads(PROMISED.read_text())["ap"]
    assert report["frames_in"] == 101 and report["frames_out"] >= 90
    for measure in ("AP", "AP50"):
        assert report["ap_answered"]["segm"][measure] >= promised["segm"][measure] - 0.03
    assert report["ap_answered"]["per_class"]["car"] >= promised["per_class"]["car"] - 0.03
