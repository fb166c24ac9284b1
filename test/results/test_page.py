# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The page leads where it says, needs no other file, and shows texts as texts."""

import json
import re
from html.parser import HTMLParser

import pytest
from bag_evaluations import run

from fcis_ros.results.page import Content, write_page


class Page(HTMLParser):
    """Links, sources and texts of a page."""

    def __init__(self, path):
        super().__init__()
        self.ids, self.links, self.sources, self.groups, self.buttons, self.text = [], [], [], [], [], ""
        self.feed(path.read_text())

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        self.ids += [named["id"]] if "id" in named else []
        self.links += [named["href"]] if tag == "a" else []
        self.sources += [named["src"]] if "src" in named else []
        self.groups += named["data-groups"].split() if "data-groups" in named else []
        self.buttons += [named["data-group"]] if "data-group" in named else []

    def handle_data(self, data):
        self.text += data


def test_write_page_has_valid_links_and_no_external_source(folder):
    page = Page(folder / "report.html")
    assert len(set(page.ids)) == len(page.ids)
    for link in page.links:
        assert link[1:] in page.ids if link.startswith("#") else (folder / link).is_file()
    assert page.sources and all(source.startswith("data:image/") for source in page.sources)
    assert not re.search(r"(src|href)\s*=\s*[\"']?(https?:)?//", (folder / "report.html").read_text())
    assert set(page.buttons) - {""} == set(page.groups) >= {"best", "worst", "missed", "timeline"}
    assert sum(link.startswith("#frame-") for link in page.links) == 12  # time bins: in a short recording one per frame


def test_write_page_markup_in_a_path_is_text(bags, scenes, annotations, tmp_path):
    run(bags.write(scenes[0], name="<b>&amp;<script>alert(1)<"), annotations, tmp_path / "out")
    assert "<script>alert" not in (tmp_path / "out/report.html").read_text()
    assert "<script>alert(1)<" in Page(tmp_path / "out/report.html").text


@pytest.mark.parametrize(
    ("annotated", "title", "heights"),
    [
        (True, "2:00.0: 2 frames, 2 true positives, 0 false positives, 1 false negatives", {"2e7d4f": [25.33, 50.67]}),
        (False, "2:00.0: 2 frames, 2 detections", {"1f6f8b": [38.0, 76.0]}),
    ],
)
def test_write_page_timeline_has_a_bar_for_each_time_bin(folder, annotated, title, heights):
    """The largest bar fills the row of 76 pixels; a bin without a picture on the page has no link."""
    report = json.loads((folder / "report.json").read_text())
    each = {"bag": 0, "frames": 2, "wrong": 0, "missed": 1, "picture": {"bag": 0, "index": 1}}
    report["timeline"] = [{**each, "second": 60.0 * i, "right": i, "found": i} for i in range(3)]
    write_page({**report, "ap": report["ap"] if annotated else None}, Content("intro"), folder / "page.html")
    text = (folder / "page.html").read_text()
    assert f"<title>{title}</title>" in text and "#frame-0-1" not in text
    for fill, expected in heights.items():
        assert [float(height) for height in re.findall(rf'height="([\d.]+)" fill="#{fill}"', text)] == expected
