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
    """What a page links to, and what is in it."""

    def __init__(self, path):
        super().__init__()
        self.ids, self.links, self.sources, self.groups, self.buttons, self.text = [], [], [], [], [], ""
        self.feed(path.read_text())

    def handle_starttag(self, tag, attributes):
        own = dict(attributes)
        self.ids += [own["id"]] if "id" in own else []
        self.links += [own["href"]] if tag == "a" else []
        self.sources += [own["src"]] if "src" in own else []
        self.groups += own["data-groups"].split() if "data-groups" in own else []
        self.buttons += [own["data-group"]] if "data-group" in own else []

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def folder(bag, annotations, tmp_path):
    run(bag, annotations, tmp_path / "out")
    return tmp_path / "out"


def test_the_page_needs_nothing_but_itself_and_leads_where_it_says(folder):
    page = Page(folder / "report.html")
    assert len(set(page.ids)) == len(page.ids)
    for link in page.links:
        assert link[1:] in page.ids if link.startswith("#") else (folder / link).is_file()
    assert page.sources and all(source.startswith("data:image/") for source in page.sources)
    assert not re.search(r"(src|href)\s*=\s*[\"']?(https?:)?//", (folder / "report.html").read_text())
    assert set(page.buttons) - {""} == set(page.groups) >= {"best", "worst", "missed", "timeline"}
    moments = [link for link in page.links if link.startswith("#frame-")]
    assert len(moments) == 12  # one a moment, of which a short recording has as many as frames


def test_gallery_and_timeline_add_up(folder):
    report = json.loads((folder / "report.json").read_text())
    (at,) = [line for line in report["sweep"]["all"] if line["score"] == report["score"]]
    for name in ("right", "wrong", "missed"):
        assert sum(moment[name] for moment in report["timeline"]) == at[name]
    worst = [own["wrong"] + own["missed"] for own in report["gallery"]["worst"]]
    assert worst == sorted(worst, reverse=True) and worst[0] > 0
    areas = [own["largest_missed"] for own in report["gallery"]["missed"]]
    assert areas == sorted(areas, reverse=True) and areas[0] > 0
    assert all((folder / f"pictures/00000-{own['index']:08d}.jpg").is_file() for own in report["gallery"]["best"])


def test_another_threshold_without_the_network(folder, capsys):
    before = json.loads((folder / "report.json").read_text())
    assert main(["report", str(folder), "--score", "0.2"]) == 0
    after = json.loads((folder / "report.json").read_text())
    assert "pictures that are not there" not in capsys.readouterr().out  # the recording is so short that all are kept
    assert after["score"] == 0.2 and after["ap"] == before["ap"]
    assert sum(own["right"] for own in after["timeline"]) > sum(own["right"] for own in before["timeline"])
    write_report(folder)
    assert json.loads((folder / "report.json").read_text()) == before


def test_report_with_another_score_says_which_pictures_it_lacks(bags, scenes, tmp_path, capsys):
    """240 frames, five to a moment, of which one was kept."""
    many = [(*entry[:3], bags.START + i) for i, entry in enumerate(scenes[0] * 20)]
    run(bags.write(many), None, tmp_path / "out", score=0.99)
    capsys.readouterr()
    assert main(["report", str(tmp_path / "out"), "--score", "0.1"]) == 0
    pictures = json.loads((tmp_path / "out/report.json").read_text())["pictures"]
    assert pictures["missing"] > 0
    said = f"{pictures['missing']} of {sum(pictures.values())} (the evaluation kept those that a score of 0.99 chooses)"
    assert f"  {said}\n" in capsys.readouterr().out
    page = Page(tmp_path / "out/report.html")
    assert said in page.text and len(page.sources) == pictures["shown"]


@pytest.mark.parametrize("damage", [lambda file: file.unlink(), lambda file: file.write_bytes(file.read_bytes()[:900])])
def test_report_with_a_missing_or_damaged_picture_says_so(folder, capsys, damage):
    damage(next((folder / "pictures").iterdir()))
    assert main(["report", str(folder)]) == 0
    assert "(missing or damaged in pictures)" in capsys.readouterr().out
    assert "Pictures that are not here: 1 of 12 (missing or damaged in pictures)." in Page(folder / "report.html").text


def test_of_an_evaluation_that_was_killed(bag, annotations, tmp_path, capsys):
    """Nothing was closed: the report is of the frames that are whole."""
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


def test_baseline(bag, annotations, tmp_path, capsys):
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


def test_no_such_baseline(folder, tmp_path, bag):
    with pytest.raises(InputError, match="none.json: no such baseline"):
        compare_with(folder, tmp_path / "none.json", 0.01)
    (tmp_path / "copied.json").write_text("{}")
    with pytest.raises(InputError, match="copied.json: no frames.jsonl beside it"):
        compare_with(folder, tmp_path / "copied.json", 0.01)
    run(bag, None, tmp_path / "plain")
    with pytest.raises(InputError, match="plain: no annotated frame: nothing to compare"):
        compare_with(folder, tmp_path / "plain/report.json", 0.01)


def test_no_evaluation(tmp_path, capsys):
    assert main(["report", str(tmp_path)]) == 2
    assert "no evaluation (no run.json in it)" in capsys.readouterr().err


def test_names_are_text(bags, scenes, annotations, tmp_path):
    """A path with markup in it stays text."""
    bag = bags.write(scenes[0], name="<b>&amp;<script>alert(1)<")
    run(bag, annotations, tmp_path / "out")
    assert "<script>alert" not in (tmp_path / "out/report.html").read_text()
    assert "<script>alert(1)<" in Page(tmp_path / "out/report.html").text
