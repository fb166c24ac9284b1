# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The report of an evaluation says what happened, leads where it says, and needs nothing but itself."""

import json
import re
from html.parser import HTMLParser

import pytest
from bag_evaluations import Network, run

from fcis_ros.cli.main import main
from fcis_ros.errors import InputError
from fcis_ros.results.baseline import compare_with
from fcis_ros.results.run_report import write_report


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


@pytest.fixture
def folder(bag, annotations, tmp_path):
    run(bag, annotations, tmp_path / "out")
    return tmp_path / "out"


def test_write_report_page_has_valid_links_and_no_external_source(folder):
    page = Page(folder / "report.html")
    assert len(set(page.ids)) == len(page.ids)
    for link in page.links:
        assert link[1:] in page.ids if link.startswith("#") else (folder / link).is_file()
    assert page.sources and all(source.startswith("data:image/") for source in page.sources)
    assert not re.search(r"(src|href)\s*=\s*[\"']?(https?:)?//", (folder / "report.html").read_text())
    assert set(page.buttons) - {""} == set(page.groups) >= {"best", "worst", "missed", "timeline"}
    bins = [link for link in page.links if link.startswith("#frame-")]
    assert len(bins) == 12  # one per time bin, of which a short recording has as many as frames


def test_write_report_gallery_and_timeline_equal_the_sweep(folder):
    report = json.loads((folder / "report.json").read_text())
    (at,) = [line for line in report["sweep"]["all"] if line["score"] == report["score"]]
    for name in ("right", "wrong", "missed"):
        assert sum(each[name] for each in report["timeline"]) == at[name]
    worst = [frame["wrong"] + frame["missed"] for frame in report["gallery"]["worst"]]
    assert worst == sorted(worst, reverse=True) and worst[0] > 0
    areas = [frame["largest_missed"] for frame in report["gallery"]["missed"]]
    assert areas == sorted(areas, reverse=True) and areas[0] > 0
    assert all((folder / f"pictures/00000-{frame['index']:08d}.jpg").is_file() for frame in report["gallery"]["best"])


def test_report_other_score_changes_the_counts(folder, capsys):
    before = json.loads((folder / "report.json").read_text())
    assert main(["report", str(folder), "--score", "0.2"]) == 0
    after = json.loads((folder / "report.json").read_text())
    assert "missing pictures" not in capsys.readouterr().out  # the recording is so short that all are kept
    assert after["score"] == 0.2 and after["ap"] == before["ap"]
    assert sum(each["right"] for each in after["timeline"]) > sum(each["right"] for each in before["timeline"])
    write_report(folder)
    assert json.loads((folder / "report.json").read_text()) == before


def test_report_other_score_names_missing_pictures(bags, scenes, tmp_path, capsys):
    """240 frames, five in a time bin, of which one was kept."""
    many = [(*entry[:3], bags.START + i) for i, entry in enumerate(scenes[0] * 20)]
    run(bags.write(many), None, tmp_path / "out", score=0.99)
    capsys.readouterr()
    assert main(["report", str(tmp_path / "out"), "--score", "0.1"]) == 0
    pictures = json.loads((tmp_path / "out/report.json").read_text())["pictures"]
    assert pictures["missing"] > 0
    said = f"{pictures['missing']} of {sum(pictures.values())} (the evaluation kept the pictures for a score of 0.99)"
    assert f"  {said}\n" in capsys.readouterr().out
    page = Page(tmp_path / "out/report.html")
    assert said in page.text and len(page.sources) == pictures["shown"]


@pytest.mark.parametrize("damage", [lambda file: file.unlink(), lambda file: file.write_bytes(file.read_bytes()[:900])])
def test_report_damaged_picture_is_named(folder, capsys, damage):
    damage(next((folder / "pictures").iterdir()))
    assert main(["report", str(folder)]) == 0
    assert "(missing or damaged in pictures)" in capsys.readouterr().out
    assert "Missing pictures: 1 of 12 (missing or damaged in pictures)." in Page(folder / "report.html").text


def test_report_killed_evaluation_is_marked_incomplete(bag, annotations, tmp_path, capsys):
    """Files were not completed: the report covers the frames that were written whole."""
    with pytest.raises(KeyboardInterrupt):
        run(bag, annotations, tmp_path / "out", Network(fails_at=7))
    for name in ("report.json", "report.html"):
        (tmp_path / "out" / name).unlink()
    run_json = tmp_path / "out/run.json"
    run_json.write_text(run_json.read_text().replace('"interrupted"', '"running"'))
    with (tmp_path / "out/frames.jsonl").open("ab") as file:
        file.write(b'{"bag"')
    assert main(["report", str(tmp_path / "out")]) == 0
    assert "NOT COMPLETE" in capsys.readouterr().out
    assert "Not complete (running)" in Page(tmp_path / "out/report.html").text


def test_report_baseline_regression_gives_status_1(bag, annotations, tmp_path, capsys):
    run(bag, annotations, tmp_path / "good")
    run(bag, annotations, tmp_path / "bad", Network(blind=0.6))
    good, bad = (str(tmp_path / name) for name in ("good", "bad"))
    assert main(["report", bad, "--baseline", f"{good}/report.json"]) == 1
    out = capsys.readouterr().out
    assert "mask AP50 is worse" in out
    report = json.loads((tmp_path / "bad/report.json").read_text())
    assert report["comparison"]["paired"] and report["comparison"]["regressed"]
    assert "Worse than the baseline: mask AP" in Page(tmp_path / "bad/report.html").text
    assert main(["report", bad, "--baseline", f"{good}/report.json", "--tolerance", "1"]) == 0
    assert main(["report", good, "--baseline", f"{bad}/report.json"]) == 0
    assert main(["report", good, "--baseline", f"{good}/report.json"]) == 0


def test_compare_with_unusable_baseline_is_refused(folder, tmp_path, bag):
    with pytest.raises(InputError, match="none.json: no such baseline"):
        compare_with(folder, tmp_path / "none.json", 0.01)
    (tmp_path / "copied.json").write_text("{}")
    with pytest.raises(InputError, match="copied.json: no frames.jsonl next to it"):
        compare_with(folder, tmp_path / "copied.json", 0.01)
    run(bag, None, tmp_path / "plain")
    with pytest.raises(InputError, match="plain: no annotated frame: nothing to compare"):
        compare_with(folder, tmp_path / "plain/report.json", 0.01)


def test_report_other_folder_is_refused(tmp_path, capsys):
    assert main(["report", str(tmp_path)]) == 2
    assert "no evaluation (no run.json in it)" in capsys.readouterr().err


def test_write_report_markup_in_a_path_is_escaped(bags, scenes, annotations, tmp_path):
    """Markup in a path stays text."""
    bag = bags.write(scenes[0], name="<b>&amp;<script>alert(1)<")
    run(bag, annotations, tmp_path / "out")
    assert "<script>alert" not in (tmp_path / "out/report.html").read_text()
    assert "<script>alert(1)<" in Page(tmp_path / "out/report.html").text
