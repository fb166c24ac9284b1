# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""In fp32, against a NumPy derivation of the released path that shares no code with the package."""

import dataclasses

import numpy as np
import pytest
import released_reference as released
import torch

from fcis_ros import Predictor
from fcis_ros.config import ModelConfig
from fcis_ros.data.frame_sources import read_image
from fcis_ros.model.fcis import FCIS
from fcis_ros.model.preprocess import preprocess
from fcis_ros.model.raw_outputs import raw_outputs

CONFIG = ModelConfig(
    ("car", "bus", "tram"), backbone="resnet50", width=4, short_side=240, max_side=400, reduced_channels=16, rpn_channels=8,
    rpn_post_nms=12, mask_output="released",
)  # fmt: skip
CPU = torch.device("cpu")


def make_predictor(image: np.ndarray) -> Predictor:
    """A random network whose heads give on this image what trained ones would."""
    torch.manual_seed(0)
    model = FCIS(CONFIG).eval()
    with torch.no_grad():
        maps = model.dense(preprocess(image, CONFIG)[0])
        for layer, out, spread in (
            (model.rpn.score, maps.logits, 2),
            (model.rpn.delta, maps.deltas, 0.2),
            (model.score_maps.score, maps.score_maps, 4),
            (model.score_maps.box, maps.box_maps, 1),
        ):
            layer.weight *= spread / out.std()
    return Predictor(model, "random", CPU)


def compare(image):
    predictor = make_predictor(image)
    found = raw_outputs(predictor.model, image, CPU)
    _, _, height, width = found["data"].shape
    with torch.inference_mode():
        maps = predictor.model.dense(torch.from_numpy(found["data"]))
    classes = CONFIG.num_classes
    by_bin = maps.score_maps[0].reshape(49, 4, 2, *maps.score_maps.shape[2:])[:, :classes]
    score_maps = by_bin.permute(1, 2, 0, 3, 4).flatten(0, 2)
    box_maps = maps.box_maps[0].reshape(49, 4, *maps.box_maps.shape[2:]).transpose(0, 1).flatten(0, 1)
    box_maps = torch.cat([torch.full_like(box_maps, 1e3), box_maps])  # the first of the released sets is never used
    prob, deltas = found["rpn_cls_prob"][0], found["rpn_bbox_pred"][0]
    assert np.allclose(prob[:12] + prob[12:], 1)
    first = released.proposals(prob, deltas, height, width, released.COCO_ANCHORS, 2, post_nms=12)
    rois = found["rois"]
    assert len(rois) == 2 * len(first) and not rois[:, 0].any()
    assert np.abs(rois[: len(first), 1:] - first).max() < 0.01
    # From here on with our boxes, or a rounding of one pixel would be a whole cell.
    scores, masks, moves = released.heads(score_maps.numpy(), box_maps.numpy(), rois[:, 1:])
    second = released.second_round(rois[: len(first), 1:], moves[: len(first)], height, width)
    assert np.abs(rois[len(first) :, 1:] - second).max() < 0.01
    assert np.abs(found["cls_prob"] - scores).max() < 1e-5
    assert np.abs(found["seg_prob"] - masks).max() < 1e-4
    scale = found["im_info"][0, 2]
    boxes, voted, labels, soft = released.instances(rois[:, 1:], found["cls_prob"], found["seg_prob"], scale, height, width, 2)
    order = np.lexsort((boxes[:, 0], labels, -voted))
    ours = np.lexsort((found["boxes"][:, 0], found["labels"], -found["scores"]))
    assert 3 < len(boxes) == len(found["boxes"]) <= 100
    assert np.array_equal(found["labels"][ours], labels[order]) and np.allclose(found["scores"][ours], voted[order], atol=1e-6)
    same = np.abs(found["boxes"][ours] - boxes[order]).max(axis=1) < 0.05
    assert same.mean() > 0.97  # a vote within rounding of the threshold may move a box by a pixel
    assert np.abs(found["masks21"][ours] - soft[order])[same].max(axis=(1, 2)).mean() < 1e-3
    return found


def test_raw_outputs_noise_equals_the_definition():
    image = np.random.default_rng(0).integers(0, 256, (97, 131, 3), dtype=np.uint8)
    found = compare(image)
    assert found["im_info"].tolist() == [[240, 324, pytest.approx(240 / 97)]]
    assert found["seg_prob"].shape[1:] == found["masks21"].shape[1:] == (21, 21)


def test_raw_outputs_photo_equals_the_definition(shared_data):
    compare(read_image(min((shared_data / "coco100" / "train").glob("*.jpg"))))


def test_raw_outputs_instances_equal_the_predictors():
    image = np.random.default_rng(1).integers(0, 256, (97, 131, 3), dtype=np.uint8)
    predictor = make_predictor(image)
    found, instances = raw_outputs(predictor.model, image, CPU), predictor(image)
    assert np.array_equal(found["scores"][: len(instances.scores)].round(5), instances.scores.round(5))
    assert found["labels"].tolist() == instances.labels.tolist()
    inside = [
        x1 <= left and y1 <= top and right <= x2 + 1 and bottom <= y2 + 1  # half-open boxes in the original's tight ones
        for (x1, y1, x2, y2), (left, top, right, bottom) in zip(found["boxes"], instances.boxes, strict=True)
    ]
    assert len(inside) > 3 and all(inside)


def test_raw_outputs_data_equals_the_released_input():
    config = dataclasses.replace(CONFIG, short_side=4, max_side=8)
    image = np.full((4, 4, 3), (10, 20, 30), np.uint8)
    torch.manual_seed(0)
    data = raw_outputs(FCIS(config).eval(), image, CPU)["data"]
    assert np.allclose(data[0, :, 0, 0], [10 - 123.15, 20 - 115.90, 30 - 103.06], atol=1e-5)
