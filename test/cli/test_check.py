# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""``fcis check``: every path is described, whatever is wrong with the others; pairs, JSON, statuses.

Most tests have stand-ins for the inspections of the domains, which are tested beside them; the last has the real ones.
"""

import json
import sys
import types
from pathlib import Path

import pytest
from cli_inputs import CONFIG, write_annotations
from recordings import Bags

from fcis_ros.cli.main import main
from fcis_ros.errors import InputError
from fcis_ros.findings import Finding, Inspection


@pytest.fixture
def asked(monkeypatch):
    """What the inspections were asked; a recording whose name has "bad" is refused, one with "part" loses frames."""
    calls = []

    def inspect_recording(path, full):
        calls.append(("recording", path, full))
        if "bad" in str(path):
            raise InputError(f"{path}: no images")
        findings = (Finding("drive_1.db3", "damaged, 3 frames"),) if "part" in str(path) else ()
        return Inspection(str(path), "recording", {"frames": 6}, {"evaluate-bag": "evaluates 6 frames"}, findings)

    def inspect_images(paths, title):
        calls.append(("images", [path.name for path in paths], title))
        return Inspection(title, "images", {"images": len(paths)})

    def inspect_folder(folder):
        calls.append(("folder", folder.name))
        return Inspection(str(folder), "folder of images")

    def inspect_annotations(path, images, class_names):
        calls.append(("annotations", path.name, images and images.name, class_names))
        return Inspection(str(path), "annotations", findings=(Finding(path.name, "2 objects of class dog", lost=False),))

    for name, functions in (
        ("bags.inspection", {"inspect_recording": inspect_recording}),
        ("data.image_inspection", {"inspect_images": inspect_images, "inspect_folder": inspect_folder}),
        ("data.annotation_inspection", {"inspect_annotations": inspect_annotations}),
    ):
        monkeypatch.setitem(sys.modules, f"fcis_ros.{name}", types.SimpleNamespace(**functions))
    return calls


def recording(folder):
    folder.mkdir(parents=True)
    (folder / "metadata.yaml").touch()
    return str(folder)


def test_check_everything_usable_gives_status_0(asked, tmp_path, images, annotations, capfd):
    assert main(["check", recording(tmp_path / "drive"), str(images), str(annotations)]) == 0
    captured = capfd.readouterr()
    assert captured.err == "" and "drive: recording\n  frames            6\n" in captured.out
    assert f"  remark            {annotations.name}: 2 objects of class dog" in captured.out
    assert asked[0] == ("recording", str(tmp_path / "drive"), False) and asked[1] == ("folder", "images")


def test_check_every_path_is_described_in_order(asked, tmp_path, capfd):
    """Also where others are refused; the last line names those."""
    paths = [recording(tmp_path / name) for name in ("bad", "part", "whole")]
    assert main(["check", *paths, str(tmp_path / "nowhere"), "--full", "--json"]) == 2
    captured = capfd.readouterr()
    content = json.loads(captured.out)
    assert content["status"] == 2 and [each["status"] for each in content["inspections"]] == [2, 2, 0, 2]
    assert [each["path"] for each in content["inspections"]] == [*paths, str(tmp_path / "nowhere")]
    first, second, third, last = (each["findings"] for each in content["inspections"])
    assert first == [{"source": "bad", "text": "no images", "lost": True}] and not third
    assert second[0]["text"] == "damaged, 3 frames" and last[0]["text"] == "no such file or folder"
    lost = ", ".join((*paths[:2], str(tmp_path / "nowhere")))
    assert captured.err == f"fcis: cannot be used, or not as a whole: {lost}\n"
    assert all(full for _, _, full in asked)
    assert main(["check", *paths]) == 2
    assert "bad: recording\n  CANNOT BE USED    bad: no images\n" in capfd.readouterr().out


@pytest.mark.parametrize("first", [True, False])
def test_check_annotations_are_compared_with_what_is_beside_them(asked, tmp_path, images, annotations, model, capfd, first):
    """In any order: the folder of images, and the classes of the checkpoint or of a configuration."""
    config = tmp_path / "train.json"
    config.write_text(json.dumps({"model": {**CONFIG.to_dict(), "class_names": ["forklift"]}, "steps": 3}))
    for other, classes in ((model, CONFIG.class_names), (config, ("forklift",))):
        paths = [annotations, images, other]
        assert main(["check", *map(str, paths if first else paths[::-1])]) == 0
        assert asked.pop() == ("annotations", annotations.name, "images", classes)
    (tmp_path / "others").mkdir()
    assert main(["check", str(annotations), str(images), "--images", str(tmp_path / "others")]) == 0
    assert asked.pop() == ("annotations", annotations.name, "others", None)
    assert main(["check", str(annotations), "--images", str(tmp_path / "nowhere")]) == 2
    assert capfd.readouterr().err == f"fcis: --images {tmp_path / 'nowhere'}: no such folder\n"


def test_check_image_files_are_described_together(asked, images, tmp_path):
    assert main(["check", str(images / "a.png"), recording(tmp_path / "drive"), str(images / "b.png")]) == 0
    assert [call for call in asked if call[0] == "images"] == [("images", ["a.png", "b.png"], "2 image files")]


def test_check_folder_of_recordings_is_each_of_them(asked, tmp_path, capfd):
    for name in ("tuesday", "monday"):
        recording(tmp_path / "bags" / name)
    assert main(["check", str(tmp_path / "bags")]) == 0
    assert [path for _, path, _ in asked] == [str(tmp_path / "bags" / name) for name in ("monday", "tuesday")]


def test_check_folder_of_recordings_names_folders_that_are_none(asked, tmp_path, capfd):
    """The empty folder of a recorder that was killed, and a folder of recordings deeper down."""
    recording(tmp_path / "bags/monday")
    recording(tmp_path / "bags/week/friday")
    (tmp_path / "bags/tuesday").mkdir()
    (tmp_path / "bags/.hidden").mkdir()
    assert main(["check", str(tmp_path / "bags"), "--json"]) == 2
    content = json.loads(capfd.readouterr().out)
    said = {Path(each["path"]).name: [finding["text"] for finding in each["findings"]] for each in content["inspections"]}
    assert list(said) == ["monday", "tuesday", "week"] and said["monday"] == []
    assert "it holds nothing" in said["tuesday"][0] and "check it by itself" in said["week"][0]


def test_check_checkpoint_and_results_are_described(tmp_path, model, capfd):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/log.jsonl").write_text('{"step": 20}\n')
    (tmp_path / "run/state.safetensors").touch()
    (tmp_path / "clip.mp4").write_bytes(b"no video")
    assert main(["check", str(model), str(tmp_path / "run")]) == 0
    text = capfd.readouterr().out
    rows = [line.split() for line in text.splitlines()]
    assert ["classes", "car,", "pedestrian,", "bicyclist"] in rows and ["steps", "in", "the", "log", "20"] in rows
    assert main(["check", str(tmp_path / "clip.mp4")]) == 2
    assert "clip.mp4: not a video" in capfd.readouterr().out


def test_check_says_what_the_commands_say(tmp_path, images, model, capfd):
    """A file of the recording is empty, an image is cut off, and an object is of no class of the model."""
    whole = Bags(tmp_path).camera(3, name="drive")
    (whole / "drive_1.mcap").touch()
    (whole / "metadata.yaml").unlink()
    (images / "b.png").write_bytes((images / "b.png").read_bytes()[:200])
    truth = write_annotations(tmp_path / "truth.json", categories=[{"id": 5, "name": "car"}, {"id": 2, "name": "forklift"}])
    assert main(["check", *map(str, (whole, images, truth, model)), "--json"]) == 2
    captured = capfd.readouterr()
    recording, folder, annotations, checkpoint = json.loads(captured.out)["inspections"]
    assert [each["status"] for each in (recording, folder, annotations, checkpoint)] == [2, 2, 2, 0]
    lost = f"{whole}, {images}, {truth}"
    assert captured.err.splitlines()[-1] == f"fcis: cannot be used, or not as a whole: {lost}"

    options = ["--checkpoint", str(model), "--device", "cpu", "--out"]
    assert main(["evaluate-bag", str(whole), *options, str(tmp_path / "bag")]) == 2
    assert json.loads((tmp_path / "bag/report.json").read_text())["findings"] == recording["findings"] != []
    assert main(["predict", str(images), *options, str(tmp_path / "predicted")]) == 2
    said = [line for line in capfd.readouterr().err.splitlines() if line.startswith("fcis: ")]
    assert said[-1] == "fcis: {source}: {text}".format(**folder["findings"][0])
    assert main(["evaluate", "--annotations", str(truth), "--images", str(images), *options, str(tmp_path / "images.out")]) == 2
    assert json.loads((tmp_path / "images.out/report.json").read_text())["findings"] == annotations["findings"] != []
