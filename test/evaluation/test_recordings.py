# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Offline evaluation with the stand-in network of ``bag_evaluations``."""

import contextlib
import io
import json

import numpy as np
import pytest
from bag_evaluations import Network, contents, run, written
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from fcis_ros.errors import InputError
from fcis_ros.results.run_reader import RunReader


def test_evaluate_bag_figures_equal_pycocotools(bag, annotations, tmp_path):
    report = run(bag, annotations, tmp_path / "out")
    assert (report["frames_in"], report["frames_out"], report["frames_annotated"]) == (12, 12, 12)
    detections = json.loads((tmp_path / "out/detections.json").read_text())
    assert 0.3 < report["ap"]["segm"]["AP50"] < 1 and len(detections) == report["detections"] > 10
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(tmp_path / "out/annotations.json")
        evaluation = COCOeval(coco, coco.loadRes(str(tmp_path / "out/detections.json")), "segm")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    keys = ("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large")
    for key, value in zip(keys, evaluation.stats, strict=False):
        assert report["ap"]["segm"][key] == (None if value == -1 else value)
    assert {image["id"] for image in coco.imgs.values()} == {100 - i for i in range(12)}
    assert {annotation["category_id"] for annotation in coco.anns.values()} == {5, 9}


def test_evaluate_bag_twice_gives_equal_bytes(bag, annotations, tmp_path):
    run(bag, annotations, tmp_path / "one")
    run(bag, annotations, tmp_path / "two")
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


@pytest.mark.parametrize("after", [1, 2, 7, 12])
def test_evaluate_bag_interrupted_and_resumed_gives_equal_bytes(bag, annotations, tmp_path, after):
    run(bag, annotations, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(bag, annotations, tmp_path / "parts", Network(fails_at=after))
    partial = json.loads((tmp_path / "parts/report.json").read_text())
    assert not partial["complete"] and partial["state"] == "interrupted" and partial["frames_in"] == after - 1
    json.loads((tmp_path / "parts/detections.json").read_text())
    network = Network()
    run(bag, annotations, tmp_path / "parts", network)
    assert network.calls == 13 - after
    assert contents(tmp_path / "whole") == contents(tmp_path / "parts")


def test_evaluate_bag_unusable_frames_are_recorded_with_reasons(bags, scenes, tmp_path):
    entries, content = scenes
    strange = bags.image(np.zeros((9, 9, 3), np.uint8), 5)
    strange.encoding = "strange"
    for index, message in ((3, strange), (7, b"\0\1\0\0")):
        entries[index] = (*entries[index][:2], message, entries[index][3])
    report = run(bags.write(entries), written(tmp_path / "truth.json", content), tmp_path / "out")
    assert (report["frames_in"], report["frames_out"], report["frames_unusable"]) == (12, 10, 2)
    assert "frame 000003 of /cam: image: encoding 'strange'" in report["unusable"] and report["complete"]
    assert report["frames_annotated"] == 10 and sum(report["unusable_reasons"].values()) == 2


def test_evaluate_bag_annotations_are_matched_by_stamp(bags, scenes, tmp_path):
    """Images in any order, and of some of the frames only."""
    entries, content = scenes
    whole = run(bags.write(entries), written(tmp_path / "truth.json", content), tmp_path / "whole")
    images = [{**image, "stamp_ns": bags.START + index} for index, image in enumerate(content["images"])]
    shuffled = written(tmp_path / "stamped.json", content, images=images[::-1])
    report = run(bags.folder / "bag", shuffled, tmp_path / "shuffled")
    assert report["matched_by"] == "stamp" and report["ap"] == whole["ap"] and whole["matched_by"] == "order"
    kept = {image["id"] for image in images[:4]}
    some = [entry for entry in content["annotations"] if entry["image_id"] in kept]
    truth = written(tmp_path / "some.json", content, images=images[:4], annotations=some)
    report = run(bags.folder / "bag", truth, tmp_path / "some")
    assert (report["frames_in"], report["frames_annotated"]) == (12, 4)
    assert json.loads((tmp_path / "some/unannotated.json").read_text())
    first = {entry["image_id"] for entry in json.loads((tmp_path / "some/detections.json").read_text())}
    assert first <= kept


@pytest.mark.parametrize("stamp", [0, -5_000_000_000])
def test_evaluate_bag_equal_stamps_count_once(bags, scenes, tmp_path, stamp):
    """The first frame with an annotated stamp is matched, the others are counted."""
    entries, content = scenes
    for entry in entries:
        entry[2].header.stamp.sec, entry[2].header.stamp.nanosec = stamp // 10**9, 0
    images = [{**content["images"][0], "stamp_ns": stamp}]
    annotations = [entry for entry in content["annotations"] if entry["image_id"] == 100]
    truth = written(tmp_path / "truth.json", content, images=images, annotations=annotations)
    report = run(bags.write(entries), truth, tmp_path / "out")
    assert (report["frames_annotated"], report["frames_repeated"], report["frames_out"]) == (1, 11, 12)


def test_evaluate_bag_backward_stamps_are_evaluated(bags, scenes, tmp_path):
    entries, content = scenes
    whole = run(bags.write(entries), written(tmp_path / "truth.json", content), tmp_path / "whole")
    for index, entry in enumerate(entries):
        entry[2].header.stamp.sec = 1000 - index
    report = run(bags.write(entries, name="backwards"), tmp_path / "truth.json", tmp_path / "out")
    assert report["ap"] == whole["ap"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda images: images[:5], "5 images, but 12 frames in the recording"),
        (lambda images: [{**image, "stamp_ns": 7} for image in images], "two images have the same stamp_ns"),
        (lambda images: [{**images[0], "stamp_ns": 7}, *images[1:]], "1 of 12 images have a stamp_ns"),
        (lambda images: [{**image, "height": 50} for image in images], "is 128x50 in it, the frame 128x96"),
    ],
)
def test_evaluate_bag_annotations_of_other_frames_are_refused(bag, scenes, tmp_path, change, says):
    images = change(scenes[1]["images"])
    ids = {image["id"] for image in images}
    annotations = [entry for entry in scenes[1]["annotations"] if entry["image_id"] in ids] if len(images) < 12 else []
    truth = written(tmp_path / "truth.json", scenes[1], images=images, annotations=annotations)
    with pytest.raises(InputError, match=says):
        run(bag, truth, tmp_path / "out")


def test_evaluate_bag_without_annotations_writes_detections(bag, tmp_path):
    report = run(bag, None, tmp_path / "out")
    assert report["ap"] is None and report["detections"] > 10
    assert len(json.loads((tmp_path / "out/detections.json").read_text())) == report["detections"]
    assert RunReader(tmp_path / "out").state == "complete"


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda data: data[: len(data) * 3 // 4], r"cut off at byte \d+, in the record that begins at byte \d+"),
        (lambda data: data[:-900_000] + bytes([data[-900_000] ^ 1]) + data[-899_999:], r"damaged at byte \d+: a chunk"),
    ],
)
def test_evaluate_bag_frames_before_damage_are_reported(bags, scenes, tmp_path, damage, says):
    entries = [(topic, kind, message, bags.START + i) for i, (topic, kind, message, _) in enumerate(scenes[0] * 6)]
    storage = bags.write(entries) / "bag.mcap"
    storage.write_bytes(damage(storage.read_bytes()))
    with pytest.raises(InputError, match=f"bag.mcap: {says}"):
        run(storage, None, tmp_path / "out")
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert (report["complete"], report["state"]) == (False, "failed") and "bag.mcap: " in report["problem"]
    assert 20 < report["frames_out"] < 72 and "Not complete (failed)" in (tmp_path / "out/report.html").read_text()
