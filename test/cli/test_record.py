# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import json
import subprocess
import sys

from cli_inputs import refused, write_annotations
from pictures import encoded

from fcis_ros.bags.reader import open_recording
from fcis_ros.cli.main import main
from fcis_ros.messages.typestore import MASKS


def test_record_images_writes_a_recording(images, annotations, model, tmp_path, capsys):
    """What is recorded with truth is evaluated against it as against the annotations."""
    bag = str(tmp_path / "bag")
    assert main(["record", str(images), "--annotations", str(annotations), "--out", bag]) == 0
    assert "2 frames with ground truth" in capsys.readouterr().out
    command = ["evaluate-bag", bag, "--checkpoint", str(model), "--device", "cpu", "--out"]
    assert main([*command, str(tmp_path / "topic"), "--truth-topic", "/truth/masks"]) == 0
    assert main([*command, str(tmp_path / "file"), "--annotations", str(annotations)]) == 0
    assert main(["report", str(tmp_path / "file"), "--results"]) == 0
    results = ["evaluate-bag", str(tmp_path / "file/results"), "--checkpoint", str(model)]
    assert main([*results, "--out", str(tmp_path / "again")]) == 0  # its overlays are images, too
    reports = [json.loads((tmp_path / name / "report.json").read_text()) for name in ("topic", "file")]
    assert reports[0]["ap"] == reports[1]["ap"] and reports[0]["frames_annotated"] == 2
    others = write_annotations(tmp_path / "others.json", images=[], annotations=[])
    assert main(["record", str(images), "--annotations", str(others), "--out", str(tmp_path / "other")]) == 2
    assert "none of the 0 file names in it" in capsys.readouterr().err and not (tmp_path / "other").exists()
    assert main(["record", "synthetic", "--frames", "2", "--out", str(tmp_path / "clip")]) == 0


def test_record_unusable_images_are_left_out_and_named(images, model, tmp_path, capfd):
    (images / "a2.png").write_bytes(b"broken")
    (images / "c.heic").write_bytes(b"-")
    (images / "._a.png").write_bytes(b"AppleDouble")
    bag = tmp_path / "bag"
    assert main(["record", str(images), "--out", str(bag)]) == 2
    said = capfd.readouterr()
    assert [line for line in said.err.splitlines() if line.startswith("fcis: ")] == [
        "fcis: images: 1 image: .heic is not read: c.heic",
        "fcis: images: 1 frame: not an image that can be decoded: a2.png",
    ]
    assert said.out.startswith("2 frames -> ")
    assert [frame.name for frame in open_recording(bag).frames()] == ["a.png", "b.png"]
    for path in images.iterdir():
        path.write_bytes(b"broken")
    refused(capfd, ["record", images, "--out", tmp_path / "none"], "none of its 3 frames can be used")
    assert not (tmp_path / "none").exists()


def test_record_damaged_image_is_one_line(images, tmp_path):
    """OpenCV's lines about it, which come once more for every file, are left out."""
    (images / "c.bmp").write_bytes(encoded("bmp")[:-300])
    command = [sys.executable, "-m", "fcis_ros", "record", str(images), "--out", str(tmp_path / "bag")]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = [line for line in run.stderr.splitlines() if not line.startswith("record: ") and line]
    assert run.returncode == 2 and len(lines) == 1 and "BMP, damaged or cut off" in lines[0]


def test_record_folder_with_another_recording_is_refused(images, tmp_path, capsys):
    """An earlier clip is replaced; other recordings, and clips with further files, are kept."""
    bag, command = tmp_path / "bag", ["record", str(images), "--out", str(tmp_path / "bag")]
    assert main(command) == main(command) == 0
    (bag / "notes.txt").touch()
    assert main(command) == 2 and (bag / "notes.txt").exists()
    (bag / "notes.txt").unlink()
    metadata = bag / "metadata.yaml"
    metadata.write_text(metadata.read_text().replace("/frame_names", "/other_names"))
    before = {file.name: file.read_bytes() for file in bag.iterdir()}
    assert main(command) == 2 and {file.name: file.read_bytes() for file in bag.iterdir()} == before
    assert capsys.readouterr().err.count("exists and is not an earlier result") == 2


def test_record_camera_is_refused_without_secrets(tmp_path, capfd):
    refused(capfd, ["record", "rtsp://user:secret@host/live", "--out", tmp_path / "bag"], "rtsp://***@host/live: a camera is")


def test_record_frame_with_broken_annotations_is_recorded_without_ground_truth(images, tmp_path, capfd):
    """A stray point in one image; the other image keeps its ground truth."""
    objects = [
        {"image_id": 7, "category_id": 5, "segmentation": [[8, 8, 24, 8, 24, 24, 8, 24]]},
        {"image_id": 3, "category_id": 5, "segmentation": [[8, 8]]},
    ]
    annotations = write_annotations(tmp_path / "a.json", annotations=objects)
    assert main(["record", str(images), "--annotations", str(annotations), "--out", str(tmp_path / "bag")]) == 2
    last = capfd.readouterr().err.splitlines()[-1]
    assert last.startswith("fcis: a.json: 1 annotated frame recorded without ground truth: b.png (annotations[1]: a polygon")
    recording = open_recording(tmp_path / "bag")
    assert recording.count == 2 and len(list(recording.messages({"/truth/masks": (MASKS,)}))) == 1
