# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Tests of findings and of the exit status that follows from them."""

import json
from pathlib import Path

import pytest

from fcis_ros.findings import (
    Finding,
    by_reason,
    counted,
    exit_status,
    from_json,
    left_out,
    listing,
    shortened,
    source_of,
    to_json,
)

LOST, REMARK = Finding("drive", "2 frames: no image"), Finding("drive.json", "3 objects of class dog", lost=False)


@pytest.mark.parametrize(
    ("findings", "regressed", "status"),
    [((), False, 0), ((REMARK,), False, 0), ((REMARK,), True, 1), ((LOST,), False, 2), ((REMARK, LOST), True, 2)],
)
def test_exit_status_lost_input_comes_before_a_regression(findings, regressed, status):
    assert exit_status(findings, regressed) == status


def test_findings_as_json_are_read_back():
    assert from_json(json.loads(json.dumps(to_json([LOST, REMARK])))) == (LOST, REMARK)
    assert str(LOST) == "drive: 2 frames: no image"


def test_by_reason_equal_reasons_are_one_finding():
    problems = [("a.png", "cut off"), ("b.heic", "not read"), ("c.png", "cut off")]
    assert by_reason("frames", "image", problems) == (
        Finding("frames", "2 images: cut off: a.png, c.png"), Finding("frames", "1 image: not read: b.heic"),
    )  # fmt: skip
    (many,) = by_reason("frames", "frame", [(str(number), "cut off") for number in range(25)])
    assert many.text.startswith("25 frames: cut off: 0, 1") and many.text.endswith("and 5 more")


def test_left_out_long_list_is_counted():
    reasons = {f"{i}.png": "cut off" for i in range(30)}
    (finding,) = left_out("images", reasons.items(), 40)
    assert finding.lost and finding.text.startswith("30 of 40 images cannot be used: 0.png (cut off), ")
    assert finding.text.endswith("and 10 more") and left_out("images", {}, 4) == ()


def test_listing_many_names_ends_with_their_number():
    assert listing("abc") == "a, b, c"
    assert listing(map(str, range(22))).endswith("19 and 2 more")


def test_counted_noun_has_the_number_of_its_count():
    assert [counted(number, "image") for number in (0, 1, 2)] == ["0 images", "1 image", "2 images"]


def test_shortened_many_lines_end_with_their_number():
    lines = [str(number) for number in range(21)]
    assert shortened(lines, ", in report.json") == [*lines[:20], "and 1 more, in report.json"]
    assert shortened(lines[:20]) == lines[:20]


def test_source_of_any_path_is_a_name_without_folders(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    monkeypatch.chdir(tmp_path / "a")
    paths = {".": "a", "..": tmp_path.name, "../a": "a", "/x/b.json": "b.json", "/": "/"}
    assert {path: source_of(Path(path)) for path in paths} == paths
