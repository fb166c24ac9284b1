# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The two sides of a benchmark compute the same."""

import json

import numpy as np
import pytest
import torch

from benchmarks import cases, convolutions, frame, operators, patent, plain
from fcis_ros import Predictor
from fcis_ros.data.synthetic.scenes import SyntheticScenes
from fcis_ros.model import convolution
from fcis_ros.ops import patent as patent_operators

CPU = torch.device("cpu")


def test_plain_pytorch_frame_equals_the_operators_frame():
    predictor, image = Predictor.from_checkpoint(device="cpu", precision="fp32"), SyntheticScenes(0).sample(7).image
    ours = predictor(image, 0.3)
    with frame.plain_pytorch():
        theirs = predictor(image, 0.3)
    assert len(ours) == len(theirs) > 3
    assert np.array_equal(ours.labels, theirs.labels)
    np.testing.assert_allclose(ours.scores, theirs.scores, atol=1e-5)
    assert (ours.masks != theirs.masks).mean() < 1e-3


def test_roi_stage_plain_equals_operators():
    case = cases.make("small", 3, 40, 160, 240)
    for ours, theirs in zip(operators.roi_stage(case)(), operators.roi_stage(case, plain)(), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)
    run = frame.from_proposals(case)
    ours = run()
    with frame.plain_pytorch():
        theirs = run()
    assert torch.equal(ours.labels, theirs.labels) and (ours.labels > 0).any()
    torch.testing.assert_close(ours.scores, theirs.scores, atol=1e-5, rtol=1e-4)


def test_in_turn_runs_the_stage_on_every_copy(monkeypatch):
    """Of so many copies that they exceed the cache twice over; one after the other."""
    case, seen = cases.make("small", 3, 40, 160, 240), []
    monkeypatch.setattr(operators, "roi_stage", lambda copy: lambda: seen.append(copy.score_maps.data_ptr()))
    run = operators.in_turn(case, 3 * operators.stage_bytes(case))
    for _ in range(16):
        run()
    assert len(set(seen)) == 8 and seen[:8] == seen[8:] and case.score_maps.data_ptr() not in seen


def test_frame_variants_change_only_the_named_settings(tiny_checkpoint):
    predictor = Predictor.from_checkpoint(tiny_checkpoint, device="cpu", precision="fp32")
    image = SyntheticScenes(0).sample(7).image
    assert len(frame.changed(predictor, max_instances=2)(image)) == 2 < len(predictor(image))
    assert frame.changed(predictor, rpn_post_nms=30).model.rpn is predictor.model.rpn
    rows = frame.varied(predictor, "tiny", image, {"few": {"max_instances": 1}, "many": {"max_instances": 100}}, CPU)
    assert [row.case for row in rows] == ["tiny, few", "tiny, many"] and all(row.median_ms > 0 for row in rows)
    assert frame.together(predictor, "tiny", image, CPU).operator == "frame: one of 8 at once"


@pytest.mark.compiler
def test_direct_sum_equals_the_integral_tables():
    case = cases.make("small", 20, 60, 160, 240)
    for rois in (case.rois, patent.squares(case, 64)):
        logits = patent.direct_sum()(case.score_maps, rois, case.classes, cases.BINS, cases.STRIDE)
        expected = patent_operators.class_logits(case.score_maps, rois, case.classes, cases.BINS, cases.GRID, cases.STRIDE)
        torch.testing.assert_close(logits, expected, atol=1e-5, rtol=1e-4)
    assert ((rois[:, 3:] - rois[:, 1:3]) == 63).all()


def test_convolutions_rows_measure_every_way_and_restore_settings(tiny_checkpoint, monkeypatch):
    """The compilers are played; what was switched for one way is back for the next."""
    compilers, fused, plays = [], [], lambda conv, x: convolution.fits(conv)
    monkeypatch.setattr(torch, "compile", lambda dense, **options: compilers.append(options) or dense)
    monkeypatch.setattr(convolutions, "medians", lambda calls, device, seconds: [call() and 2.0 for call in calls])
    monkeypatch.setattr(convolution, "fits", lambda conv: fused.append(torch.backends.cudnn.benchmark) or False)
    monkeypatch.setattr(convolution, "may_fuse", plays)
    predictor = Predictor.from_checkpoint(tiny_checkpoint, device="cpu", precision="fp32")
    rows = convolutions.rows(predictor, "tiny", np.zeros((60, 80, 3), np.uint8))
    assert [row.operator.split(", ", 1)[1] for row in rows] == ["apart", "fused", "fused, algorithms timed", "Inductor"]
    assert all(row.median_ms == 2 and row.ratio_to_eager == 1 for row in rows) and compilers == [{"dynamic": False}]
    third = len(fused) // 3  # no layer was asked about fusing while they were separate
    assert fused == [False] * third + [True] * third + [False] * third and third > 10
    assert convolution.may_fuse is plays and not torch.backends.cudnn.benchmark


def test_compare_row_contains_what_was_measured():
    row = operators.compare("nothing", "none", torch.float32, lambda: None, lambda: None, CPU, size=8, bandwidth=4.0)
    assert (row.operator, row.case, row.dtype, row.bytes) == ("nothing", "none", "float32", 8)
    assert row.median_ms >= 0 and row.launched_ms is None and row.ratio_to_bandwidth == row.median_ms / 2


@pytest.mark.ros
def test_node_messages_hold_twenty_annotated_objects_each(tmp_path):
    """Regions to ignore and the last few do not count; three times as high, three times as wide."""
    from benchmarks import node

    square = {"image_id": 1, "category_id": 1, "segmentation": [[2, 3, 6, 3, 6, 8, 2, 8]]}
    path = tmp_path / "objects.json"
    content = {"images": [{"id": 1, "file_name": "a.png", "height": 10, "width": 12}], "categories": [{"id": 1, "name": "car"}]}
    path.write_text(json.dumps(content | {"annotations": [square | {"iscrowd": 1}] + [square] * 41}))
    first, second = node.enlarged(node.annotated(path), 30)
    assert (first.height, first.width, len(first), len(second)) == (30, 36, 20, 20)
    assert first.boxes[0].tolist() == [6, 9, 18, 24] and first.masks[0].sum() == 12 * 15 - 4 * 5  # round corners
    assert next(node.enlarged(node.rendered(), 360)).boxes.shape == (20, 4)
