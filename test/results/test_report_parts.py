# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import json

from fcis_ros.results.report_parts import format_number, write_json


def test_write_json_report_is_read_back(tmp_path):
    write_json({"frames_in": 5, "ap": None}, tmp_path / "report.json")
    assert json.loads((tmp_path / "report.json").read_text()) == {"frames_in": 5, "ap": None}
    assert [format_number(0.1234), format_number(0, 1), format_number(None)] == ["0.123", "0.0", "–"]
