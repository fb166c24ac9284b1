# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The demo on short clips: bags, video and report of a real node process."""

import json

import cv2
import numpy as np
import pytest
from network_camera import network_camera
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from rosbags.rosbag2 import Reader

from fcis_ros.cli.main import main
from fcis_ros.messages.typestore import COMPRESSED, IMAGE, message_types

pytestmark = pytest.mark.ros

FILES = {"report.json", "report.html", "overlay.mp4", "input_bag", "output_bag"}
KEYS = {"frames_in", "frames_out", "frames_dropped", "latency_ms", "stage_ms", "fps", "device", "precision", "model", "input"}
KEYS |= {"ap", "ap_answered", "mAPr", "seed", "versions", "frames_unusable"}
STAGES = {"preprocess", "backbone", "rpn", "score_maps", "proposals", "rois", "nms", "voting", "download"}


def demo(out, *arguments, status=0) -> dict:
    assert main(["demo", *map(str, arguments), "--out", str(out)]) == status
    assert {path.name for path in out.iterdir()} >= FILES
    assert not out.with_name(out.name + ".partial").exists()
    report = json.loads((out / "report.json").read_text())
    assert set(report) >= KEYS
    sent, answered = stamps_of(out / "input_bag"), answers_of(out)
    assert report["frames_in"] == len(sent) and report["frames_out"] == len(answered) and {*answered} <= {*sent}
    assert report["frames_dropped"] == len({*sent} - {*answered})
    video = cv2.VideoCapture(str(out / "overlay.mp4"))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) <= report["frames_in"]
    return report


def nanoseconds(stamp) -> int:
    return stamp.sec * 1_000_000_000 + stamp.nanosec


def stamps_of(bag) -> list[int]:
    """Stamps of the images in a bag, in order."""
    store = message_types()
    with Reader(bag) as reader:
        images = reader.messages([c for c in reader.connections if c.msgtype == IMAGE])
        return [nanoseconds(store.deserialize_cdr(raw, IMAGE).header.stamp) for _, _, raw in images]


def answers_of(out) -> dict[int, list[dict]]:
    """{stamp: COCO results} of the recorded answers, decoded independently of the package."""
    store = message_types()
    answers = {}
    with Reader(out / "output_bag") as reader:
        for connection, _, raw in reader.messages([c for c in reader.connections if c.msgtype.endswith("InstanceMaskArray")]):
            message = store.deserialize_cdr(raw, connection.msgtype)
            results = []
            for mask in message.masks:
                pixels = np.zeros((message.height, message.width), np.uint8, order="F")
                roi = mask.roi
                inside = np.repeat(np.arange(len(mask.rle)) % 2, mask.rle).reshape((roi.height, roi.width), order="F")
                pixels[roi.y_offset : roi.y_offset + roi.height, roi.x_offset : roi.x_offset + roi.width] = inside
                encoded = coco_mask.encode(pixels)
                encoded["counts"] = encoded["counts"].decode()
                results.append({"category_id": int(mask.class_id), "score": float(mask.score), "segmentation": encoded})
            answers[nanoseconds(message.header.stamp)] = results
    return answers


def average_precision(out, answers: dict[int, list[dict]], only: set[int] | None = None) -> float:
    """Mask AP by pycocotools alone, over all images of annotations.json or those of ``only``; image n is frame n."""
    truth = COCO(str(out / "annotations.json"))
    sent = {stamp: number for number, stamp in enumerate(stamps_of(out / "input_bag"), start=1)}
    results = [{"image_id": sent[stamp], **result} for stamp, entries in answers.items() for result in entries]
    evaluation = COCOeval(truth, truth.loadRes(results), "segm")
    if only is not None:
        evaluation.params.imgIds = [sent[stamp] for stamp in only]
    evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
    evaluation.evaluate()
    evaluation.accumulate()
    precision = evaluation.eval["precision"][..., -1]
    return float(precision[precision > -1].mean())


def test_demo_synthetic_clip_then_its_recording_give_equal_frames(tmp_path, tiny_checkpoint, capsys):
    report = demo(tmp_path / "out", "--frames", 8, "--rate", 2, "--checkpoint", tiny_checkpoint)
    assert (report["frames_in"], report["model"], report["seed"]) == (8, "tiny", 0) and report["frames_out"] >= 4
    assert 0 < report["latency_ms"]["p50"] <= report["latency_ms"]["p95"] <= report["latency_ms"]["max"]
    assert STAGES <= set(report["stage_ms"])
    assert set(report["ap"]["per_class"]) == {"car", "pedestrian", "bicyclist"}
    page = (tmp_path / "out" / "report.html").read_text()
    assert "data:image" in page and "http://" not in page and "https://" not in page  # one file that opens anywhere
    video = cv2.VideoCapture(str(tmp_path / "out" / "overlay.mp4"))
    assert video.isOpened() and int(video.get(cv2.CAP_PROP_FRAME_WIDTH)) == 480
    assert str(tmp_path / "out" / "report.html") in capsys.readouterr().out

    again = demo(tmp_path / "again", tmp_path / "out" / "input_bag", "--rate", 2, "--checkpoint", tiny_checkpoint)
    assert again["frames_in"] == 8 and again["ap"] is None


def test_demo_network_camera_is_named_without_secrets(tmp_path, tiny_checkpoint, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with network_camera() as url:
        secret = url.replace("://", "://user:secret@")
        report = demo(tmp_path / "out", secret, "--frames", 4, "--rate", 2, "--checkpoint", tiny_checkpoint)
    assert report["frames_in"] == 4 and report["input"].startswith("stream http://***@127.0.0.1:")
    assert "secret" not in (tmp_path / "out" / "report.html").read_text()


def test_demo_dropped_frames_lower_ap(tmp_path):
    """The default model at a rate beyond its speed; the objects of dropped frames are false negatives."""
    out = tmp_path / "out"
    report = demo(out, "--frames", 12, "--rate", 40)
    assert report["dropped"]["overwritten"] > 0 and not report["dropped"]["failed"] + report["dropped"]["rejected"]
    answers = answers_of(out)
    assert report["ap"]["segm"]["AP"] == pytest.approx(average_precision(out, answers), abs=1e-6)
    assert report["ap_answered"]["segm"]["AP"] == pytest.approx(average_precision(out, answers, {*answers}), abs=1e-6)
    assert report["ap"]["segm"]["AP"] < report["ap_answered"]["segm"]["AP"]


def test_demo_recording_with_compressed_images_is_played(tmp_path, bags, tiny_checkpoint, capfd):
    """Two cameras; the chosen one compressed, with a message that is cut off and stamps before 1970."""
    rng = np.random.default_rng(0)
    entries = []
    for i in range(4):
        jpeg = bags.encoded(rng.integers(0, 255, (90, 120, 3), np.uint8), "jpg")
        message = bags.compressed(jpeg[: 200 if i == 1 else None], "rgb8; jpeg compressed bgr8")
        message.header.stamp.sec = -9 + i
        entries += [("/front/compressed", COMPRESSED, message, bags.START + i * 500_000_000)]
        entries += [("/rear", IMAGE, bags.image(np.zeros((90, 120, 3), np.uint8)), bags.START + i * 500_000_000)]
    bag = bags.write(entries)
    assert main(["demo", str(bag), "--out", str(tmp_path / "out"), "--checkpoint", str(tiny_checkpoint)]) == 2
    assert "several topics with images, choose one (--topic): /front/compressed" in capfd.readouterr().err
    report = demo(tmp_path / "out", bag, "--topic", "/front/compressed", "--checkpoint", tiny_checkpoint, status=2)
    assert (report["frames_in"], report["frames_unusable"]) == (3, 1) and "frame 000001" in report["unusable"]
    assert capfd.readouterr().err.splitlines()[-1].startswith("fcis: bag: 1 frame: compressed image")
    page = (tmp_path / "out/report.html").read_text()
    assert "Not everything could be used" in page and "input_bag, topic /image_raw, 3 messages" in page

    moved = (tmp_path / "out").rename(tmp_path / "moved")  # its recording is found where the folder is
    assert main(["report", str(moved), "--results"]) == 2
    assert len(stamps_of(moved / "input_bag")) == 3 and (moved / "results/metadata.yaml").is_file()
    for text in (page, (moved / "report.html").read_text(), (moved / "run.json").read_text()):
        assert ".partial" not in text and str(tmp_path) not in text
    assert json.loads((moved / "report.json").read_text())["input"].startswith("bag bag, topic /front/compressed, ")


def test_demo_folder_with_annotations_is_evaluated(tmp_path, tiny_checkpoint):
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
