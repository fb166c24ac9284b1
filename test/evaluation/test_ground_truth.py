# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Annotation files of recordings, in evaluations with the stand-in network of ``bag_evaluations``."""

import json

import pytest
from bag_evaluations import NAMES, run, written

from fcis_ros.bags.reader import open_recording
from fcis_ros.errors import InputError
from fcis_ros.evaluation.ground_truth import AnnotationFile
from fcis_ros.evaluation.recordings import EvaluationInputs
from fcis_ros.findings import Finding


def test_annotation_file_with_stamps_matches_any_order(bags, scenes, tmp_path):
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
def test_annotation_file_equal_stamps_count_once(bags, scenes, tmp_path, stamp):
    """The first frame with an annotated stamp is matched, the others are counted."""
    entries, content = scenes
    for entry in entries:
        entry[2].header.stamp.sec, entry[2].header.stamp.nanosec = stamp // 10**9, 0
    images = [{**content["images"][0], "stamp_ns": stamp}]
    annotations = [entry for entry in content["annotations"] if entry["image_id"] == 100]
    truth = written(tmp_path / "truth.json", content, images=images, annotations=annotations)
    report = run(bags.write(entries), truth, tmp_path / "out")
    assert (report["frames_annotated"], report["frames_repeated"], report["frames_out"]) == (1, 11, 12)


def test_annotation_file_backward_stamps_match_by_order(bags, scenes, tmp_path):
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
    ],
)
def test_annotation_file_of_other_frames_is_refused(bag, scenes, tmp_path, change, says):
    images = change(scenes[1]["images"])
    ids = {image["id"] for image in images}
    annotations = [entry for entry in scenes[1]["annotations"] if entry["image_id"] in ids] if len(images) < 12 else []
    truth = written(tmp_path / "truth.json", scenes[1], images=images, annotations=annotations)
    with pytest.raises(InputError, match=says):
        run(bag, truth, tmp_path / "out")


def test_annotation_file_broken_ground_truth_makes_its_frames_unusable(bags, scenes, tmp_path):
    """One image with a stray point, one of another size: the other frames are measured."""
    entries, content = scenes
    images = [{**image, "height": 50} if index == 1 else image for index, image in enumerate(content["images"])]
    stray = {"image_id": images[0]["id"], "category_id": content["categories"][0]["id"], "segmentation": [[3, 3]]}
    kept = [entry for entry in content["annotations"] if entry["image_id"] != images[1]["id"]]
    truth = written(tmp_path / "truth.json", content, images=images, annotations=[*kept, stray])
    report = run(bags.write(entries), truth, tmp_path / "out")
    assert (report["frames_in"], report["frames_unusable"], report["frames_annotated"]) == (12, 2, 10)
    texts = [finding["text"] for finding in report["findings"] if finding["lost"]]
    said = ("annotated as 128x50 pixels, but the frame has 128x96", "annotations[20]: a polygon is not a list of at least")
    for text, reason in zip(texts, said, strict=True):
        assert text.startswith(f"1 frame: unusable ground truth ({reason}")


def test_annotation_file_findings_are_those_of_the_inputs_once(bags, scenes, tmp_path):
    entries, content = scenes
    orphan = {**content["annotations"][0], "image_id": 999_999}
    truth = written(tmp_path / "truth.json", content, annotations=[*content["annotations"], orphan])
    source, recording = AnnotationFile(truth, NAMES, False, 12), open_recording(bags.write(entries))
    inputs = EvaluationInputs([recording, recording], [source, source], NAMES)
    assert inputs.findings == [Finding("truth.json", "1 annotation of 1 image not listed (ids 999999)")]
