# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The table of ``fcis check``: aligned, wrapped, and nothing in it that a terminal obeys."""

from fcis_ros.cli.inspection_table import WIDTH, table
from fcis_ros.findings import Finding, Inspection


def test_table_shows_facts_findings_and_uses():
    facts = {"frames": 6, "classes": {"car": 3, "tram": 0}, "sizes": ["64x48"], "share": 0.123456, "index": True, "names": None}
    findings = (Finding("truth.json", "2 objects of class dog", lost=False), Finding("drive_1.db3", "damaged, 3 frames"))
    inspection = Inspection("bags/drive", "recording", facts, {"evaluate-bag": "evaluates 6 of 9 frames"}, findings)
    assert table([inspection, Inspection("b", "video")]).splitlines() == [
        "bags/drive: recording",
        "  frames            6",
        "  classes           car 3, tram 0",
        "  sizes             64x48",
        "  share             0.1235",
        "  index             yes",
        "  names             none",
        "  CANNOT BE USED    drive_1.db3: damaged, 3 frames",
        "  remark            truth.json: 2 objects of class dog",
        "  -> evaluate-bag: evaluates 6 of 9 frames",
        "",
        "b: video",
    ]


def test_table_long_and_hostile_texts_stay_in_their_lines():
    classes = [f"class {number}" for number in range(80)]
    lines = table([Inspection("a\x1b[2J\n", "model", {"classes": classes, "x\ny": "a\r\nb"})]).splitlines()
    assert lines[0] == r"a\x1b[2J\n: model" and lines[-1] == r"  x\ny              a\r\nb"
    assert all(len(line) <= WIDTH and line.isprintable() for line in lines)
    assert " ".join(line.strip() for line in lines[1:-1]).split("classes ")[1].strip() == ", ".join(classes)
