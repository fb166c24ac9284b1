"""The demo, end to end, on short clips: bags, video and report of a node process that really ran."""

import json

import cv2
import numpy as np
import pytest

from fcis_ros.cli.main import main

pytestmark = pytest.mark.ros

FILES = {"report.json", "report.html", "overlay.mp4", "input_bag", "output_bag"}
KEYS = {"frames_in", "frames_out", "frames_dropped", "latency_ms", "stage_ms", "fps", "device", "precision", "model", "input"}
KEYS |= {"ap", "mAPr", "seed", "versions"}
STAGES = {"preprocess", "backbone", "rpn", "score_maps", "proposals", "rois", "nms", "voting", "download"}


def demo(out, *arguments) -> dict:
    assert main(["demo", *map(str, arguments), "--out", str(out)]) == 0
    assert {path.name for path in out.iterdir()} >= FILES
    assert not out.with_name(out.name + ".partial").exists()
    report = json.loads((out / "report.json").read_text())
    assert set(report) >= KEYS
    assert report["frames_in"] == report["frames_out"] + report["frames_dropped"]
    assert sum(report["dropped"].values()) == report["frames_dropped"]
    return report


def test_synthetic_clip_then_its_own_bag(tmp_path, tiny_checkpoint, capsys):
    report = demo(tmp_path / "out", "--frames", 8, "--rate", 2, "--checkpoint", tiny_checkpoint)
    assert (report["frames_in"], report["model"], report["seed"]) == (8, "tiny", 0) and report["frames_out"] >= 4
    assert 0 < report["latency_ms"]["p50"] <= report["latency_ms"]["p95"] <= report["latency_ms"]["max"]
    assert STAGES <= set(report["stage_ms"])
    assert 0 <= report["ap"]["segm"]["AP50"] <= 1 and set(report["ap"]["per_class"]) == {"car", "pedestrian", "bicyclist"}
    page = (tmp_path / "out" / "report.html").read_text()
    assert "data:image" in page and "http://" not in page and "https://" not in page  # one file that opens anywhere
    video = cv2.VideoCapture(str(tmp_path / "out" / "overlay.mp4"))
    assert video.isOpened() and int(video.get(cv2.CAP_PROP_FRAME_WIDTH)) == 480
    assert str(tmp_path / "out" / "report.html") in capsys.readouterr().out

    again = demo(tmp_path / "again", tmp_path / "out" / "input_bag", "--rate", 2, "--checkpoint", tiny_checkpoint)
    assert again["frames_in"] == 8 and again["ap"] is None


def test_folder_with_annotations(tmp_path, tiny_checkpoint):
    images, annotations = tmp_path / "images", []
    images.mkdir()
    for number in range(3):
        cv2.imwrite(str(images / f"frame_{number}.png"), np.random.default_rng(number).integers(0, 255, (90, 120, 3), np.uint8))
        annotations.append(
            {"id": number + 1, "image_id": number + 1, "category_id": 3, "iscrowd": 0, "bbox": [10, 10, 30, 30], "area": 900,
             "segmentation": [[10, 10, 40, 10, 40, 40, 10, 40]]}
        )  # fmt: skip
    truth = {
        "images": [{"id": n + 1, "file_name": f"frame_{n}.png", "height": 90, "width": 120} for n in range(3)],
        "annotations": annotations,
        "categories": [{"id": 3, "name": "car"}],
    }
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    arguments = [images, "--checkpoint", tiny_checkpoint, "--annotations"]
    report = demo(tmp_path / "out", *arguments, tmp_path / "truth.json", "--rate", 2)
    assert report["frames_in"] == 3 and report["ap"] is not None and report["seed"] is None

    for image in truth["images"]:
        image["file_name"] = "other_" + image["file_name"]
    (tmp_path / "other.json").write_text(json.dumps(truth))
    assert main(["demo", *map(str, arguments), str(tmp_path / "other.json"), "--out", str(tmp_path / "bad")]) == 2
    assert not (tmp_path / "bad").exists() and not (tmp_path / "bad.partial").exists()
