# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The report of an evaluation says what happened, also of one that has ended in the middle."""

import json
import re

import pytest
from bag_evaluations import Network, change_json, run

from fcis_ros.cli.main import main
from fcis_ros.errors import InputError
from fcis_ros.findings import Finding
from fcis_ros.results import run_report


def test_report_other_score_changes_the_counts(folder, capsys):
    before = json.loads((folder / "report.json").read_text())
    assert main(["report", str(folder), "--score", "0.2"]) == 0
    after = json.loads((folder / "report.json").read_text())
    assert "missing pictures" not in capsys.readouterr().out  # the recording is so short that all are kept
    assert after["score"] == 0.2 and after["ap"] == before["ap"]
    assert sum(each["right"] for each in after["timeline"]) > sum(each["right"] for each in before["timeline"])
    assert run_report.write_report(folder) == before == json.loads((folder / "report.json").read_text())


def test_report_other_score_names_missing_pictures(bags, scenes, tmp_path, capsys):
    """240 frames, five in a time bin, of which one was kept."""
    many = [(*entry[:3], bags.START + i) for i, entry in enumerate(scenes[0] * 20)]
    run(bags.write(many), None, tmp_path / "out", score=0.99)
    capsys.readouterr()
    assert main(["report", str(tmp_path / "out"), "--score", "0.1"]) == 0
    pictures = json.loads((tmp_path / "out/report.json").read_text())["pictures"]
    assert pictures["missing"] > 0
    said = f"{pictures['missing']} of {sum(pictures.values())} (the evaluation kept the pictures for a score of 0.99)"
    page = (tmp_path / "out/report.html").read_text()
    assert f"  {said}\n" in capsys.readouterr().out and said in page
    assert page.count("data:image/jpeg") == pictures["shown"]


def test_write_report_many_time_bins_show_those_with_the_most_errors(folder, monkeypatch):
    monkeypatch.setattr(run_report, "PAGE_PICTURES", 3)
    errors = {each["picture"]["index"]: each["wrong"] + each["missed"] for each in run_report.write_report(folder)["timeline"]}
    page = (folder / "report.html").read_text()
    shown = [int(index) for index in re.findall(r'id="frame-0-(\d+)" data-groups="[^"]*timeline', page)]
    assert sorted(errors[index] for index in shown) == sorted(errors.values())[-3:]
    assert "of the 3 time bins with the most errors, of 12" in page


@pytest.mark.parametrize("damage", [lambda file: file.unlink(), lambda file: file.write_bytes(file.read_bytes()[:900])])
def test_report_damaged_picture_is_named(folder, capsys, damage):
    damage(next((folder / "pictures").iterdir()))
    assert main(["report", str(folder)]) == 0
    assert "(missing or damaged in pictures)" in capsys.readouterr().out
    assert "Missing pictures: 1 of 12 (missing or damaged in pictures)." in (folder / "report.html").read_text()


def test_report_killed_evaluation_is_marked_incomplete(bag, annotations, tmp_path, capsys):
    """Files were not completed: the report covers the frames that were written whole."""
    with pytest.raises(KeyboardInterrupt):
        run(bag, annotations, tmp_path / "out", Network(fails_at=7))
    change_json(tmp_path / "out/run.json", lambda content: content.update(state="running"))
    with (tmp_path / "out/frames.jsonl").open("ab") as file:
        file.write(b'{"bag"')
    assert main(["report", str(tmp_path / "out")]) == 2
    captured, said = capsys.readouterr(), "bag: not complete (running): run the same command again to resume"
    assert "NOT COMPLETE" in captured.out and captured.err == f"fcis: {said}\n"
    assert said in (tmp_path / "out/report.html").read_text()


def test_write_report_findings_are_at_the_top_of_page_and_table(bag, annotations, tmp_path):
    findings = [Finding("bag/1.mcap", "damaged, 7 frames"), Finding("truth.json", "3 objects of class tram", lost=False)]
    report = run(bag, annotations, tmp_path / "out", findings=findings)
    page = (tmp_path / "out/report.html").read_text()
    banner = page.index("<li>bag/1.mcap: damaged, 7 frames</li>")
    assert page.index('<div class="banner" role="alert">') < banner < page.index('<div class="cards">')
    assert "<tr><td>remark</td><td>truth.json: 3 objects of class tram</td></tr>" in page
    assert ("NOT ALL USED", "1 finding, below and in report.json") in run_report.rows(report)[:4]


def test_write_report_page_names_no_folder_of_the_machine(bag, annotations, tmp_path):
    """Recordings of the same name are told apart; report.json keeps the paths, for commands that read them again."""
    with pytest.raises(InputError):
        run(bag, annotations, tmp_path / "out", Network(fails_at=3, error=InputError(f"{bag}/bag.mcap: cut off")))
    report = run_report.write_report(tmp_path / "out")
    page = (tmp_path / "out/report.html").read_text()
    assert str(tmp_path) not in page and "bag: not complete (failed): bag/bag.mcap: cut off" in page
    assert report["bags"][0]["path"] == str(bag) and report["input"] == "bag bag, topic /cam"
    assert str(tmp_path) not in run_report.table(report)
