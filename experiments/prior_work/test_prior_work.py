# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Tests of the heads that FCIS is compared with, and of the command that compares them."""

import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from experiments.prior_work import heads, measuring, training
from experiments.prior_work.__main__ import main
from experiments.prior_work.warping import warp
from experiments.prior_work.windows import BINS, CELLS, assemble, mask_targets, tight_boxes, window_targets, windows
from fcis_ros import Predictor, boxes
from fcis_ros.config import ModelConfig
from fcis_ros.data.synthetic.scenes import CLASS_NAMES, SyntheticScenes
from fcis_ros.metrics.coco_results import to_annotations
from fcis_ros.model import checkpoint
from fcis_ros.training.augment import TrainItem
from fcis_ros.training.batches import Batches
from fcis_ros.training.state import new_state
from fcis_ros.training.train_config import TrainConfig

CPU = torch.device("cpu")
PROJECT = Path(__file__).resolve().parents[2]
CONFIG = ModelConfig(
    class_names=CLASS_NAMES, backbone="resnet18", width=8, reduced_channels=16, rpn_channels=16, short_side=96, max_side=160,
    anchor_scales=(1.0, 2.0, 4.0), rpn_post_nms=30, max_instances=20,
)  # fmt: skip


def item(*objects: tuple[int, int, int, int], height: int = 320, width: int = 320) -> TrainItem:
    """A crop with rectangles, x1, y1, x2, y2, last pixels included."""
    masks = torch.zeros(len(objects), height, width, dtype=torch.uint8)
    for mask, (x1, y1, x2, y2) in zip(masks, objects, strict=True):
        mask[y1 : y2 + 1, x1 : x2 + 1] = 1
    box, labels = torch.tensor(objects, dtype=torch.float32).reshape(-1, 4), torch.ones(len(objects), dtype=torch.int64)
    return TrainItem(torch.zeros(3, height, width), box, labels, masks, torch.zeros(height, width, dtype=torch.uint8))


def test_network_with_fcis_head_equals_fcis():
    model, image = checkpoint.load(checkpoint.default_checkpoint()), SyntheticScenes(0).sample(3).image
    network = heads.make_network("fcis", heads.road(model.config))
    network.start_from(model)
    network.head.load_state_dict(model.score_maps.state_dict())
    ours, theirs = Predictor(network, "network", CPU)(image, 0.1), Predictor(model, "model", CPU)(image, 0.1)
    assert len(ours) == len(theirs) > 3 and np.array_equal(ours.labels, theirs.labels)
    np.testing.assert_allclose(ours.scores, theirs.scores, atol=1e-6)
    assert (ours.masks != theirs.masks).mean() < 1e-4


def test_warp_boxes_equal_bilinear_samples_at_bin_centres():
    generator, stride, size = torch.Generator().manual_seed(0), 16, 4
    features = torch.randn(1, 3, 5, 7, generator=generator)
    box = torch.tensor([[0.0, 0.0, 111.0, 79.0], [10.5, 3.0, 60.0, 70.0], [-40.0, 50.0, 30.0, 140.0]])
    padded = torch.nn.functional.pad(features[0], (8, 8, 8, 8))
    expected = torch.empty(3, 3, size, size)
    for r, (x1, y1, x2, y2) in enumerate(box.tolist()):
        for i in range(size):
            for j in range(size):
                y = (y1 + (i + 0.5) / size * (y2 - y1 + 1)) / stride - 0.5
                x = (x1 + (j + 0.5) / size * (x2 - x1 + 1)) / stride - 0.5
                top, left = math.floor(y), math.floor(x)
                down, right = y - top, x - left
                corner = padded[:, top + 8 : top + 10, left + 8 : left + 10]
                weights = torch.tensor([[(1 - down) * (1 - right), (1 - down) * right], [down * (1 - right), down * right]])
                expected[r, :, i, j] = (corner * weights).sum(dim=(1, 2))
    torch.testing.assert_close(warp(features, box, size, stride), expected, atol=1e-5, rtol=1e-5)
    nothing = warp(features, torch.full((1, 4), torch.nan), size, stride)
    assert torch.isfinite(nothing).all()


def test_assemble_window_copies_each_bin():
    parts = torch.randn(BINS**2, 9, 12, generator=torch.Generator().manual_seed(0))
    which = torch.tensor([0, 5, 107, 50])
    expected = torch.zeros(len(which), CELLS, CELLS)
    for expected_window, index in zip(expected, which.tolist(), strict=True):
        for u in range(CELLS):
            for v in range(CELLS):
                row, column = index // 12 + u - CELLS // 2, index % 12 + v - CELLS // 2
                if 0 <= row < 9 and 0 <= column < 12:
                    expected_window[u, v] = parts[u * BINS // CELLS * BINS + v * BINS // CELLS, row, column]
    assert torch.equal(assemble(parts, which), expected)


def test_tight_boxes_of_masks_enclose_all_pixels():
    window, mask = windows(4, 4, 16.0, CPU)[5:7], torch.full((2, CELLS, CELLS), -1.0)
    mask[0, 3:6, 2:9] = 1
    x, y = window[0, :2].tolist()
    tight = tight_boxes(mask, window)
    assert torch.isnan(tight[1]).all()
    assert (tight[0] - torch.tensor([x + 32, y + 48, x + 143, y + 95])).abs().max() <= 8  # half a cell


def test_window_targets_object_belongs_to_windows_of_its_size():
    crop, held = item((100, 120, 199, 179)), {}  # 100 pixels
    for scale in (0.5, 1.0, 2.0):
        side, stride = int(320 * scale) // 16, 16 / scale
        boxes_of_windows = windows(side, side, stride, CPU)
        labels, match = window_targets(boxes_of_windows, stride, crop, torch.Generator().manual_seed(0))
        positive = torch.nonzero(labels == 1)[:, 0]
        held[scale] = len(positive)
        middles = (boxes_of_windows[positive, :2] + boxes_of_windows[positive, 2:]) / 2
        assert ((middles - torch.tensor([149.5, 149.5])).abs() <= stride).all() and (match[positive] == 0).all()
        assert (labels == 0).sum() <= 256
        if len(positive):
            masks = mask_targets(boxes_of_windows[positive], match[positive], crop)
            tight = tight_boxes(2 * masks - 1, boxes_of_windows[positive])
            assert boxes.iou(tight, crop.boxes).min() > 0.7
    assert held == {0.5: 0, 1.0: 4, 2.0: 4}
    labels, _ = window_targets(windows(20, 20, 16.0, CPU), 16.0, item(), torch.Generator().manual_seed(0))
    assert (labels == 0).sum() == 256 and not (labels == 1).any()


@pytest.mark.parametrize("name", heads.NAMES)
def test_head_training_step_lowers_loss(name):
    torch.manual_seed(0)
    network = heads.make_network(name, heads.road(CONFIG))
    if name == "instance_fcn":
        network.levels = (1.0,)  # steps in different levels do not compare
    config = TrainConfig(CONFIG, steps=8, batch=2, lr=0.01, warmup=1, crop=(96, 128), synthetic=1.0, ema=0.0)
    batches = Batches(config, (), SyntheticScenes(0).sample)
    items, state = batches[0], new_state(network, config, CPU)
    losses = [sum(training.step(state, items, config).values()) for _ in range(config.steps)]
    assert all(math.isfinite(loss) for loss in losses) and losses[-1] < losses[0]
    samples = [SyntheticScenes(0).sample(i) for i in range(2)]
    ap = training.evaluate(state.average.module, samples, 2, CPU)
    assert ap["images"] == 2 and 0 <= ap["segm"]["AP"] <= 1


def test_parameters_per_roi_only_fcis_has_none():
    scale = heads.coco()
    counts = {name: measuring.parameters(name, scale)["per_roi"] for name in heads.NAMES}
    pathway = 512 * 49 * 4096 + 4096 + 4096 * 4096 + 4096
    recognition = 2 * pathway + (2 * 4096 + 1) * (81 + 4)
    mask = 512 * 196 * 256 + 256 + (256 + 1) * 21**2
    assert counts == {"fcis": 0, "mnc": mask + recognition, "instance_fcn": recognition}


def write_scenes(folder: Path, count: int) -> None:
    """Rendered scenes as train and val in the layout of CamVid here."""
    for part in ("train", "val"):
        (folder / part).mkdir(parents=True)
        images, annotations = [], []
        for index in range(count):
            sample, name = SyntheticScenes(1).sample(index), f"{index}.png"
            cv2.imwrite(str(folder / part / name), sample.image[..., ::-1])
            height, width = sample.image.shape[:2]
            images.append({"id": index, "file_name": name, "height": height, "width": width})
            annotations += to_annotations(sample, index, len(annotations) + 1)
        categories = [{"id": label, "name": name} for label, name in enumerate(CLASS_NAMES, start=1)]
        content = {"images": images, "annotations": annotations, "categories": categories}
        (folder / f"instances_{part}.json").write_text(json.dumps(content))


@pytest.mark.slow
def test_main_all_steps_write_checkpoints_figures_and_report(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(PROJECT)  # from where processes find the module that measures memory
    write_scenes(tmp_path / "data", 2)
    recipe, out = TrainConfig(CONFIG, steps=1, crop=(96, 128)).to_dict(), tmp_path / "out"
    (tmp_path / "train.json").write_text(json.dumps(recipe))
    command = ["--device", "cpu", "--workers", "0", "--config", str(tmp_path / "train.json"), "--data", str(tmp_path / "data")]
    command += ["--out", str(out), "--init", "none", "--steps", "2", "--batch", "1", "--crop", "96", "128"]
    command += ["--rois", "5", "10", "--scales", "road"]
    main(command)
    assert capsys.readouterr().out.count("mask AP") == 1 + len(heads.NAMES)  # of each, and in the table
    runs = [json.loads((out / f"{name}.json").read_text()) for name in heads.NAMES]
    assert all(run["images"] == 2 and run["init"] is None and run["ap"]["images"] == 2 for run in runs)
    costs = json.loads((out / "speed.json").read_text())["costs"]
    assert {(cost["head"], cost["rois"]) for cost in costs} >= {(name, rois) for name in heads.NAMES for rois in (0, 5, 10)}
    table = (out / "table.md").read_text()
    assert all(f"| {title} |" in table for title in heads.NAMES.values()) and (out / "plot.png").stat().st_size > 10_000
    main(command)
    assert capsys.readouterr().out == table  # nothing was done twice
