import numpy as np
import pytest
import torch

import fcis_ros
from fcis_ros.config import ModelConfig
from fcis_ros.errors import InputError
from fcis_ros.model import checkpoint
from fcis_ros.model.fcis import FCIS

TINY = ModelConfig(
    class_names=("car", "pedestrian"), backbone="resnet18", width=8, reduced_channels=16, rpn_channels=16, short_side=96,
    max_side=160, anchor_scales=(1.0, 2.0, 4.0), rpn_post_nms=30,
)  # fmt: skip


@pytest.fixture
def predictor(tmp_path):
    torch.manual_seed(3)
    checkpoint.save(tmp_path / "tiny.safetensors", FCIS(TINY), {})
    return fcis_ros.Predictor.from_checkpoint(tmp_path / "tiny.safetensors", device="cpu", precision="fp32")


def test_instances_fit_the_image(predictor):
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    found = predictor(image)
    assert 0 < len(found) <= TINY.max_instances
    assert found.masks.shape == (len(found), 60, 80)
    assert (np.diff(found.scores) <= 0).all()
    for mask, (x1, y1, x2, y2) in zip(found.masks, found.boxes, strict=True):
        rows, columns = np.nonzero(mask)
        assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == (x1, y1, x2, y2)
    assert set(predictor.stage_ms) == {"preprocess", "backbone", "proposals", "score_maps", "rois", "voting"}
    assert (predictor.name, predictor.device.type) == ("tiny", "cpu")


def test_same_image_same_answer(predictor):
    image = np.random.default_rng(1).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    a, b = predictor(image), predictor(image)
    assert np.array_equal(a.masks, b.masks) and np.array_equal(a.scores, b.scores)


@pytest.mark.parametrize("size", [(2, 2), (2, 40), (3, 57), (300, 17)])
def test_odd_sizes(predictor, size):
    found = predictor(np.zeros((*size, 3), np.uint8))
    assert (found.height, found.width) == size


def test_bad_image(predictor):
    with pytest.raises(InputError, match="1x1 is too small"):
        predictor(np.zeros((1, 1, 3), np.uint8))


def test_second_round_doubles_the_rois(predictor):
    model = predictor.model
    proposals = torch.tensor([[0.0, 0, 30, 30], [20, 20, 90, 70]])
    maps = model.score_maps(torch.randn(1, model.backbone.c5_channels, 6, 10))
    with torch.inference_mode():
        fused = model.fuse_rounds(proposals, *maps, 96, 160)
    assert len(fused.boxes) == 4 and torch.equal(fused.boxes[:2], proposals)
    assert not torch.equal(fused.boxes[2:], proposals)
