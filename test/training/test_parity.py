# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Two training steps against a derivation in NumPy that shares nothing with the package but the convolutions.

The network's convolutions give four maps. From there on NumPy computes what the released code does: anchors, proposals,
targets, pooling, losses and their gradients with regard to the maps, in float64. PyTorch carries these gradients back through
the convolutions, NumPy updates the weights, and they have to be those of ``train_step``.
Seeds 0 (weights) and 5 (images); fp32.
"""

import copy
import math

import numpy as np
import pytest
import torch

from fcis_ros.config import ModelConfig
from fcis_ros.model.fcis import FCIS
from fcis_ros.training.augment import TrainItem
from fcis_ros.training.loop import train_step
from fcis_ros.training.losses import compute_losses
from fcis_ros.training.state import new_state
from fcis_ros.training.train_config import TrainConfig

K, S, SCALES, RATIOS, STDS = 3, 9, (1.0, 2.0, 3.0), (0.5, 1.0, 2.0), (0.2, 0.2, 0.5, 0.5)
MODEL = ModelConfig(
    class_names=("box", "disc"), backbone="resnet18", width=8, reduced_channels=16, rpn_channels=16, bins=K, grid=S,
    anchor_scales=SCALES, anchor_ratios=RATIOS, box_stds=STDS, rpn_pre_nms=200, rpn_post_nms=40, rpn_min_size=2.0,
)  # fmt: skip
CLASSES, ANCHORS = 3, 9
IMAGES = 2
LR, DECAY, MOMENTUM = 5e-4, 5e-4, 0.9  # as released: of the gradients' sum over the images


def make_items() -> list[TrainItem]:
    """Two images of 90x120 pixels, which is no multiple of the stride, with a box each, one with a disc as well."""
    rng = np.random.default_rng(5)
    items = []
    for discs in (1, 0):
        y, x = np.mgrid[:90, :120]
        left, top = rng.integers(4, 20), rng.integers(10, 30)
        masks = [(x >= left) & (x < left + 40) & (y >= top) & (y < top + 34)]
        masks += [(x - 84) ** 2 + (y - 50) ** 2 < 19**2] * discs
        image = rng.normal(0, 20, (3, 90, 120)) + sum(60 * mask for mask in masks)
        sides = [np.flatnonzero(mask.any(axis)) for mask in masks for axis in (0, 1)]
        rows = [[c[0], r[0], c[-1], r[-1]] for c, r in zip(sides[::2], sides[1::2], strict=True)]
        items.append(
            TrainItem(
                torch.tensor(image, dtype=torch.float32),
                torch.tensor(rows, dtype=torch.float32),
                torch.arange(1, 2 + discs),
                torch.tensor(np.array(masks), dtype=torch.uint8),
                torch.zeros(90, 120, dtype=torch.uint8),
            )
        )
    return items


def anchors(rows: int, columns: int) -> np.ndarray:
    """[rows, columns, A, 4]"""
    base = []
    for ratio in RATIOS:
        w = np.round(math.sqrt(256 / ratio))
        h = np.round(w * ratio)
        base += [[7.5 - (w * s - 1) / 2, 7.5 - (h * s - 1) / 2, 7.5 + (w * s - 1) / 2, 7.5 + (h * s - 1) / 2] for s in SCALES]
    y, x = np.mgrid[:rows, :columns] * 16.0
    return np.stack([x, y, x, y], -1)[:, :, None] + np.array(base)


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    w = min(one[2], other[2]) - max(one[0], other[0]) + 1
    h = min(one[3], other[3]) - max(one[1], other[1]) + 1
    if w <= 0 or h <= 0:
        return 0.0
    areas = [(box[2] - box[0] + 1) * (box[3] - box[1] + 1) for box in (one, other)]
    return w * h / (sum(areas) - w * h)


def overlaps(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    return np.array([[overlap(a, b) for b in others] for a in some])


def middle_and_size(box: np.ndarray) -> tuple[float, float, float, float]:
    w, h = box[2] - box[0] + 1, box[3] - box[1] + 1
    return box[0] + (w - 1) / 2, box[1] + (h - 1) / 2, w, h


def move(box: np.ndarray, delta: np.ndarray) -> list[float]:
    cx, cy, w, h = middle_and_size(box)
    cx, cy, w, h = cx + delta[0] * w, cy + delta[1] * h, w * math.exp(delta[2]), h * math.exp(delta[3])
    return [cx - (w - 1) / 2, cy - (h - 1) / 2, cx + (w - 1) / 2, cy + (h - 1) / 2]


def deltas_between(box: np.ndarray, target: np.ndarray) -> np.ndarray:
    (cx, cy, w, h), (tx, ty, tw, th) = middle_and_size(box), middle_and_size(target)
    return np.array([(tx - cx) / w, (ty - cy) / h, math.log(tw / w), math.log(th / h)])


def softmax(values: np.ndarray, axis: int) -> np.ndarray:
    powers = np.exp(values - values.max(axis, keepdims=True))
    return powers / powers.sum(axis, keepdims=True)


def smooth_l1(x: np.ndarray, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Values and slopes."""
    near = abs(x) < 1 / sigma**2
    return np.where(near, 0.5 * (sigma * x) ** 2, abs(x) - 0.5 / sigma**2), np.where(near, sigma**2 * x, np.sign(x))


def propose(logits: np.ndarray, deltas: np.ndarray) -> np.ndarray:
    """The last, incomplete row and column of cells propose nothing."""
    scores = softmax(logits.reshape(2, ANCHORS, *logits.shape[1:]), 0)[1]
    grid = anchors(*logits.shape[1:])
    candidates = []
    for y in range(90 // 16):
        for x in range(120 // 16):
            for a in range(ANCHORS):
                box = np.array(move(grid[y, x, a], deltas[4 * a : 4 * a + 4, y, x]))
                box = np.clip(box, 0, [119, 89, 119, 89])
                if min(box[2] - box[0], box[3] - box[1]) + 1 >= MODEL.rpn_min_size:
                    candidates.append((scores[a, y, x], box))
    candidates = [box for _, box in sorted(candidates, key=lambda pair: -pair[0])[: MODEL.rpn_pre_nms]]
    kept = []
    for box in candidates:
        if all(overlap(box, other) <= MODEL.rpn_nms for other in kept):
            kept.append(box)
    return np.array(kept[: MODEL.rpn_post_nms])


def rpn(logits: np.ndarray, deltas: np.ndarray, truth: np.ndarray):
    """Both losses of one image and their gradients; few enough anchors lie inside the image for all to be used."""
    grid = anchors(*logits.shape[1:])
    inside = (grid[..., :2] >= 0).all(-1) & (grid[..., 2] < 120) & (grid[..., 3] < 90)
    labels = np.full(inside.shape, -1)
    common = overlaps(grid[inside], truth)
    best = common.max(1)
    inner = np.where(best < 0.3, 0, -1)
    inner[(common == common.max(0)).any(1) | (best >= 0.7)] = 1
    labels[inside] = inner
    assert 0 < (inner == 1).sum() <= 128 and (inner >= 0).sum() <= 256  # nothing is left to chance
    wanted = np.zeros((*labels.shape, 4))
    wanted[inside] = [deltas_between(a, truth[m]) for a, m in zip(grid[inside], common.argmax(1), strict=True)]
    grad_logits, grad_deltas = np.zeros_like(logits), np.zeros_like(deltas)
    loss, used = np.zeros(2), (labels >= 0).sum()
    for y, x, a in np.argwhere(labels >= 0):
        pair, label = softmax(logits[[a, ANCHORS + a], y, x], 0), labels[y, x, a]
        loss[0] -= math.log(pair[label]) / used
        grad_logits[[a, ANCHORS + a], y, x] = (pair - np.eye(2)[label]) / used
        if label == 1:
            values, slopes = smooth_l1(deltas[4 * a : 4 * a + 4, y, x] - wanted[y, x, a], 3)
            loss[1] += values.sum() / 256
            grad_deltas[4 * a : 4 * a + 4, y, x] = slopes / 256
    return loss, grad_logits, grad_deltas


def bins(roi: np.ndarray, rows: int, columns: int) -> list[tuple[int, slice, slice]]:
    """In float32, as its edges are defined: cell, rows and columns of each of the S x S bins."""
    one = np.float32
    spans = []
    for low, high, most in ((roi[1], roi[3], rows), (roi[0], roi[2], columns)):
        start = one(math.floor(low + 0.5)) * one(0.0625)
        size = max(one(math.floor(high + 0.5) + 1) * one(0.0625) - start, one(0.1)) / one(S)
        edges = [(math.floor(one(p) * size + start), math.ceil(one(p + 1) * size + start)) for p in range(S)]
        spans.append([slice(min(max(a, 0), most), min(max(b, 0), most)) for a, b in edges])
    return [(p * K // S * K + q * K // S, spans[0][p], spans[1][q]) for p in range(S) for q in range(S)]


def resize(values: np.ndarray) -> np.ndarray:
    """Bilinear to S x S, half-pixel centres, edges clamped."""

    def weights(size: int) -> np.ndarray:
        matrix = np.zeros((S, size))
        for i in range(S):
            at = min(max((i + 0.5) * size / S - 0.5, 0), size - 1)
            low = min(int(at), size - 1)
            matrix[i, low] += 1 - (at - low)
            matrix[i, min(low + 1, size - 1)] += at - low
        return matrix

    return weights(values.shape[0]) @ values @ weights(values.shape[1]).T


def mask_target(mask: np.ndarray, truth: np.ndarray, roi: np.ndarray) -> np.ndarray:
    x1, y1, x2, y2 = np.round(roi).astype(int)
    window = np.zeros((y2 - y1 + 1, x2 - x1 + 1))
    for y in range(max(y1, int(truth[1])), min(y2, int(truth[3])) + 1):
        for x in range(max(x1, int(truth[0])), min(x2, int(truth[2])) + 1):
            window[y - y1, x - x1] = mask[y, x]
    return (resize(window) >= 0.4).astype(int)


def rois(item: TrainItem, logits, deltas, score_maps, box_maps, ohem: int, mask_weight: float):
    """The three losses of one image and their gradients with regard to the two maps."""
    truth, labels_there = item.boxes.double().numpy(), item.labels.numpy()
    boxes = np.concatenate([propose(logits, deltas), truth])
    common = overlaps(boxes, truth)
    objects = common.argmax(1)
    labels = np.where(common.max(1) >= 0.5, labels_there[objects], 0)
    cells = score_maps.reshape(K * K, 4, 2, *score_maps.shape[1:])[:, :CLASSES].swapaxes(1, 2)  # without the padding
    moves = box_maps.reshape(K * K, 4, *box_maps.shape[1:])
    rows = []
    for roi, label, match in zip(boxes, labels, objects, strict=True):
        pixels = bins(roi, *score_maps.shape[1:])
        scores = np.array([cells[c][..., y, x].mean((-1, -2)) if 0 not in cells[c][0, 0, y, x].shape else np.zeros((2, CLASSES))
                           for c, y, x in pixels])  # fmt: skip
        delta = np.mean([moves[c][:, y, x].mean((-1, -2)) if 0 not in moves[c][0, y, x].shape else np.zeros(4)
                         for c, y, x in pixels], 0)  # fmt: skip
        classes = softmax(scores.max(1).mean(0), 0)
        terms, row = [-math.log(classes[label]), 0.0, 0.0], {"pixels": pixels, "label": label, "scores": scores}
        row["classes"] = classes - np.eye(CLASSES)[label]
        if label:
            target = mask_target(item.masks[match].numpy(), truth[match], roi).ravel()
            pairs = softmax(scores[:, :, label], 1)
            terms[1] = mask_weight * -np.log(pairs[np.arange(S * S), target]).mean()
            row["pairs"] = mask_weight * (pairs - np.eye(2)[target]) / S**2
            values, row["delta"] = smooth_l1(delta - deltas_between(roi, truth[match]) / STDS, 1)
            terms[2] = values.sum()
        rows.append((terms, row))
    rows = sorted(rows, key=lambda entry: -sum(entry[0]))[:ohem]
    grad_cells, grad_moves = np.zeros_like(cells), np.zeros_like(moves)
    for _, row in rows:
        for p, (cell, y, x) in enumerate(row["pixels"]):
            pixels = (y.stop - y.start) * (x.stop - x.start)
            if not pixels:
                continue
            winner = (row["scores"][p, 1] > row["scores"][p, 0]).astype(int)  # a tie is the outside's
            for c in range(CLASSES):
                grad_cells[cell, winner[c], c, y, x] += row["classes"][c] / S**2 / pixels / len(rows)
            if row["label"]:
                grad_cells[cell, :, row["label"], y, x] += row["pairs"][p][:, None, None] / pixels / len(rows)
                grad_moves[cell, :, y, x] += row["delta"][:, None, None] / S**2 / pixels / len(rows)
    loss = np.sum([terms for terms, _ in rows], 0) / len(rows)
    padding = ((0, 0), (0, 4 - CLASSES), (0, 0), (0, 0), (0, 0))
    grad_scores = np.pad(grad_cells.swapaxes(1, 2), padding).reshape(score_maps.shape)
    return loss, grad_scores, grad_moves.reshape(box_maps.shape), [row["label"] for _, row in rows]


def derive(model: FCIS, items: list[TrainItem], ohem: int, mask_weight: float):
    """Losses, each summed over the images, and the gradient of their sum with regard to every parameter."""
    maps = model.dense(torch.stack([item.image for item in items]))
    tensors = [maps.logits, maps.deltas, maps.score_maps, maps.box_maps]
    values = [tensor.detach().double().numpy() for tensor in tensors]
    grads = [np.zeros_like(value) for value in values]
    losses = np.zeros(5)
    for i, item in enumerate(items):
        maps = [value[i] for value in values]
        loss, grads[0][i], grads[1][i] = rpn(maps[0], maps[1], item.boxes.double().numpy())
        losses[:2] += loss
        loss, grads[2][i], grads[3][i], labels = rois(item, *maps, ohem, mask_weight)
        assert 0 < np.count_nonzero(labels) < len(labels) == ohem  # both kinds of ROI are among the hardest
        losses[2:] += loss
    model.zero_grad()
    torch.autograd.backward(tensors, [torch.tensor(grad, dtype=torch.float32) for grad in grads])
    return losses, {name: p.grad.double().numpy() for name, p in model.named_parameters() if p.grad is not None}


def is_frozen(name: str) -> bool:
    return name.startswith(("backbone.conv1.", "backbone.bn1.", "backbone.layer1."))


@pytest.mark.parametrize("mask_weight", [10.0, 1.0], ids=["released_1_10_1", "patent_equal"])
def test_train_step_twice_equals_the_derivation(mask_weight):
    """Step one at a tenth of the rate (warm-up), step two after a milestone: momentum, decay, factors, OHEM, all of it."""
    config = TrainConfig(
        MODEL, steps=2, batch=IMAGES, lr=IMAGES * LR, weight_decay=DECAY / IMAGES, momentum=MOMENTUM, warmup=1, warmup_rate=0.1,
        milestones=(0.5,), frozen_stages=2, frozen_norm=True, decay_norm=True, reduce_lr=3.0, ema=0.0, precision="fp32",
        ohem=24, mask_weight=mask_weight,
    )  # fmt: skip
    torch.manual_seed(0)
    state = new_state(FCIS(MODEL), config, torch.device("cpu"))
    by_hand = copy.deepcopy(state.model)
    velocity, before = {}, {name: p.detach().clone() for name, p in by_hand.named_parameters()}
    for rate in (0.1 * LR, 0.1 * LR):
        items = make_items()
        losses, grads = derive(by_hand, items, config.ohem, mask_weight)
        norm = math.sqrt(sum((grad**2).sum() for grad in grads.values())) / IMAGES
        with torch.no_grad():
            for name, p in by_hand.named_parameters():
                if is_frozen(name):
                    continue
                step = grads[name] * min(1, 10 / norm)  # ours alone: the mean gradient is clipped to a norm of 10
                step = step + DECAY * name.endswith("weight") * p.double().numpy()  # normalisation's scales, too
                velocity[name] = MOMENTUM * velocity.get(name, 0) + step
                p -= torch.tensor(rate * (3 if name.startswith("score_maps.reduce.") else 1) * velocity[name]).float()
        computed = compute_losses(state.model, items, config, "fp32", seeds=[0, 1])
        assert [value.item() for value in computed.values()] == pytest.approx(losses / IMAGES, rel=1e-4)
        train_step(state, items, config, "fp32")
    ours = dict(state.model.named_parameters())
    assert velocity.keys() == {name for name in ours if not is_frozen(name)}
    for name, p in by_hand.named_parameters():
        moved = (p - before[name]).detach()
        difference = (ours[name] - p).detach().abs().max()
        assert torch.equal(ours[name], before[name]) if is_frozen(name) else difference <= 2e-3 * moved.abs().max() + 1e-7, name
    assert all(torch.equal(a, b) for a, b in zip(state.average.module.parameters(), state.model.parameters(), strict=True))
