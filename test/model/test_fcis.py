"""The path of an image as a whole: fixed sizes, nothing that waits, and what is ignored is counted."""

import pytest
import torch
from torch._subclasses.fake_tensor import DynamicOutputShapeException, FakeTensorMode
from torch.fx.experimental.symbolic_shapes import ShapeEnv

from fcis_ros import ops
from fcis_ros.config import ModelConfig
from fcis_ros.model.fcis import FCIS

TINY = ModelConfig(
    class_names=("car", "pedestrian"), backbone="resnet18", width=8, reduced_channels=16, rpn_channels=16, short_side=96,
    max_side=160, anchor_scales=(1.0, 2.0, 4.0), rpn_post_nms=30,
)  # fmt: skip


def compute(model: FCIS, image: torch.Tensor):
    with torch.inference_mode(False), torch.no_grad():
        return model.compute(image, 1.6, (60, 100), 0.0, lambda stage: None)


def fake(**changes):
    """Runs a model without any values: whatever had to know one raises."""
    with FakeTensorMode(shape_env=ShapeEnv(allow_dynamic_output_shape_ops=False)):
        return compute(FCIS(ModelConfig(**{**TINY.to_dict(), **changes})).eval(), torch.zeros(1, 3, 96, 160))


def test_nothing_between_upload_and_download_waits_for_a_value(monkeypatch):
    def vote_masks(boxes, masks, index, *others):
        return boxes.new_empty((len(index), 4)), boxes.new_empty((99,)), boxes.new_empty((len(index),))

    # The number of run lengths is the only size that depends on the image, and the last thing computed.
    monkeypatch.setattr(ops, "vote_masks", vote_masks)
    votes, _ = fake()
    assert votes.scores.shape == votes.labels.shape == (TINY.max_instances,)
    assert votes.boxes.shape == (TINY.max_instances, 4)
    with pytest.raises(DynamicOutputShapeException):
        fake(voting="category")  # needs to know the number of votes, as its docstring says


def test_rois_that_are_not_finite_are_ignored_and_counted():
    torch.manual_seed(0)
    model = FCIS(TINY).eval()
    image = torch.randn(1, 3, 96, 160)
    found = model(image, 1.6, (60, 100))
    assert len(found) and model.ignored_rois == 0
    with torch.no_grad():
        model.score_maps.box.bias[0] = torch.nan  # every regressed box is lost, the proposals remain
    found = model(image, 1.6, (60, 100))
    proposals = model.ignored_rois
    assert len(found) and 0 < proposals <= TINY.rpn_post_nms
    with torch.no_grad():
        model.score_maps.score.bias[0] = torch.nan  # and now the scores of all
    assert len(model(image, 1.6, (60, 100))) == 0 and model.ignored_rois == 2 * proposals
