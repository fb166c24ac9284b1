# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Offline evaluation with the stand-in network of ``bag_evaluations``."""

import contextlib
import io
import json

import numpy as np
import pytest
from bag_evaluations import Network, contents, run, run_shards, written
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from fcis_ros.results.merge import find_shards, merge
from fcis_ros.results.run_reader import RunReader
from fcis_ros.results.run_report import write_report


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


def test_evaluate_bag_without_annotations_writes_detections(bag, tmp_path):
    report = run(bag, None, tmp_path / "out")
    assert report["ap"] is None and report["detections"] > 10
    assert len(json.loads((tmp_path / "out/detections.json").read_text())) == report["detections"]
    assert RunReader(tmp_path / "out").state == "complete"


@pytest.mark.parametrize(
    ("damage", "known"),
    [
        (lambda data: data[: len(data) * 3 // 4], False),
        (lambda data: data[:-900_000] + bytes([data[-900_000] ^ 1]) + data[-899_999:], True),
    ],
)
def test_evaluate_bag_damaged_file_is_evaluated_as_far_as_it_is_whole(bags, scenes, tmp_path, damage, known):
    """Messages that the index names are unusable frames; those behind the end of a file are not known."""
    entries = [(topic, kind, message, bags.START + i) for i, (topic, kind, message, _) in enumerate(scenes[0] * 6)]
    storage = bags.write(entries) / "bag.mcap"
    storage.write_bytes(damage(storage.read_bytes()))
    report = run(storage, None, tmp_path / "out")
    assert report["complete"] and 20 < report["frames_out"] < 72
    assert report["frames_in"] == (72 if known else report["frames_out"])
    assert report["frames_unusable"] == report["frames_in"] - report["frames_out"]
    assert all("bag.mcap: damaged at byte" in reason for reason in report["unusable_reasons"])


@pytest.mark.parametrize("count", [1, 2, 5])
def test_evaluate_bag_damaged_recording_in_shards_gives_equal_bytes(bags, scenes, tmp_path, count):
    """The frames have the same indices in every shard, whichever of them reads the damaged chunk."""
    entries = [(topic, kind, message, bags.START + i) for i, (topic, kind, message, _) in enumerate(scenes[0] * 4)]
    storage = bags.write(entries) / "bag.mcap"
    data = bytearray(storage.read_bytes())
    data[100_000] ^= 1
    storage.write_bytes(data)
    run(storage, None, tmp_path / "whole")
    run_shards(storage, None, tmp_path / "shards", count)
    merge(*find_shards([tmp_path / "shards"]), tmp_path / "merged")
    names = ("frames.jsonl", "detections.json", "annotations.json")
    for name in names:
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "merged" / name).read_bytes()
    report = write_report(tmp_path / "merged")
    assert report["complete"] and report["frames_in"] == 48 and 20 < report["frames_unusable"] < 40
