# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The released FCIS around its network, in NumPy: slow, written from its description, without code of fcis_ros.

Everything between the last convolution and the voted masks (sections 3.2 and 3.3 of the paper, as released).
``test/model/test_raw_outputs.py`` and ``experiments.mxnet.network`` compare with it. It also runs in the Python of an old
MXNet. Boxes are x1, y1, x2, y2 of the first and last pixel. Proposals are not padded with random copies.
"""

# ruff: noqa: B905 (MXNet 1.9.1 runs in Python 3.8)
import numpy as np

K, GRID, STRIDE = 7, 21, 16
STDS = (0.2, 0.2, 0.5, 0.5)
# Anchors of the cell at the origin, by ratio (0.5, 1, 2), then by scale (4, 8, 16, 32); VOC leaves out the first of each ratio.
COCO_ANCHORS = np.array(
    [
        [-38, -16, 53, 31], [-84, -40, 99, 55], [-176, -88, 191, 103], [-360, -184, 375, 199],
        [-24, -24, 39, 39], [-56, -56, 71, 71], [-120, -120, 135, 135], [-248, -248, 263, 263],
        [-14, -36, 29, 51], [-36, -80, 51, 95], [-80, -168, 95, 183], [-168, -344, 183, 359],
    ],
    dtype=np.float64,
)  # fmt: skip
VOC_ANCHORS = COCO_ANCHORS[[1, 2, 3, 5, 6, 7, 9, 10, 11]]


def decode(boxes, deltas):
    """float64 boxes moved by their deltas."""
    width, height = boxes[:, 2] - boxes[:, 0] + 1.0, boxes[:, 3] - boxes[:, 1] + 1.0
    x = deltas[:, 0] * width + boxes[:, 0] + 0.5 * (width - 1.0)
    y = deltas[:, 1] * height + boxes[:, 1] + 0.5 * (height - 1.0)
    new_width, new_height = np.exp(deltas[:, 2]) * width, np.exp(deltas[:, 3]) * height
    half_width, half_height = 0.5 * (new_width - 1.0), 0.5 * (new_height - 1.0)
    return np.stack([x - half_width, y - half_height, x + half_width, y + half_height], axis=1)


def clip(boxes, height, width):
    limit = np.array([width - 1, height - 1, width - 1, height - 1])
    return np.maximum(np.minimum(boxes, limit), 0)


def overlaps(boxes, box):
    """IoU of every box with one."""
    width = np.minimum(boxes[:, 2], box[2]) - np.maximum(boxes[:, 0], box[0]) + boxes.dtype.type(1)
    height = np.minimum(boxes[:, 3], box[3]) - np.maximum(boxes[:, 1], box[1]) + boxes.dtype.type(1)
    common = np.maximum(width, 0) * np.maximum(height, 0)
    area = (boxes[:, 2] - boxes[:, 0] + 1) * (boxes[:, 3] - boxes[:, 1] + 1)
    return common / (area + (box[2] - box[0] + 1) * (box[3] - box[1] + 1) - common)


def nms(boxes, scores, threshold, limit):
    """Indices of the float32 boxes that are kept, best first."""
    left, kept = np.argsort(-scores, kind="stable"), []
    while len(left) and len(kept) < limit:
        kept.append(left[0])
        left = left[1:][overlaps(boxes[left[1:]], boxes[left[0]]) <= np.float32(threshold)]
    return np.array(kept, dtype=int)


def proposals(prob, deltas, height, width, anchors, min_size, pre_nms=6000, post_nms=300):
    """[2A, h, w] probabilities and [4A, h, w] deltas -> [R, 4] float32, best first."""
    rows, columns = height // STRIDE, width // STRIDE
    count = len(anchors)
    decoded, scores = [], []
    for y in range(rows):
        for x in range(columns):
            moves = deltas[:, y, x].reshape(count, 4).astype(np.float64)
            decoded.append(decode(anchors + STRIDE * np.array([x, y, x, y]), moves))
            scores.append(prob[count:, y, x])
    boxes, scores = clip(np.concatenate(decoded), height, width), np.concatenate(scores)
    large = (boxes[:, 2] - boxes[:, 0] + 1 >= min_size) & (boxes[:, 3] - boxes[:, 1] + 1 >= min_size)
    boxes, scores = boxes[large].astype(np.float32), scores[large]
    best = np.argsort(-scores, kind="stable")[:pre_nms]
    return boxes[best][nms(boxes[best], scores[best], 0.7, post_nms)]


def half_away(value):
    return np.float32(np.floor(value + 0.5) if value >= 0 else np.ceil(value - 0.5))


def edges(low, high, length):
    """First cell and the one after the last of each of the 21 bins, in float32 as the GPU computes."""
    f = np.float32
    start, end = half_away(float(low)) * f(0.0625), (half_away(float(high)) + f(1)) * f(0.0625)
    size = max(f(end - start), f(0.1)) / f(GRID)
    bins = [(np.floor(f(f(p) * size + start)), np.ceil(f(f(p + 1) * size + start))) for p in range(GRID)]
    return [(int(min(max(a, 0), length)), int(min(max(b, 0), length))) for a, b in bins]


def psroi_pool(maps, roi, outputs):
    """[outputs * 49, h, w] -> [outputs, 21, 21] of one ROI: channel (output * 7 + row) * 7 + column."""
    split = maps.reshape(outputs, K, K, *maps.shape[1:])
    pooled = np.zeros((outputs, GRID, GRID), np.float32)
    rows, columns = edges(roi[1], roi[3], maps.shape[1]), edges(roi[0], roi[2], maps.shape[2])
    for i, (y1, y2) in enumerate(rows):
        for j, (x1, x2) in enumerate(columns):
            if y2 > y1 and x2 > x1:
                pooled[:, i, j] = split[:, i * K // GRID, j * K // GRID, y1:y2, x1:x2].mean(axis=(1, 2))
    return pooled


def softmax(values, axis):
    exponential = np.exp(values - values.max(axis=axis, keepdims=True))
    return exponential / exponential.sum(axis=axis, keepdims=True)


def heads(score_maps, box_maps, rois, pool=psroi_pool):
    """[C+1, ...] probabilities, [21, 21] masks of the best foreground class and [4] deltas of every ROI."""
    classes = score_maps.shape[0] // (2 * K * K)
    probabilities, masks, deltas = [], [], []
    for roi in rois:
        pairs = pool(score_maps, roi, 2 * classes).reshape(classes, 2, GRID, GRID)
        probability = softmax(pairs.max(axis=1).mean(axis=(1, 2)), 0)
        best = 1 + np.argmax(probability[1:])
        probabilities.append(probability)
        masks.append(softmax(pairs[best], 0)[1])
        deltas.append(pool(box_maps, roi, 8).mean(axis=(1, 2))[4:])
    return np.array(probabilities, np.float32), np.array(masks, np.float32), np.array(deltas, np.float32)


def second_round(rois, deltas, height, width):
    moved = decode(rois.astype(np.float64), deltas * np.array(STDS))
    return clip(moved, height, width).astype(np.float32)


def sample(picture, y, x):
    """Bilinear samples of [h, w] at rows y and columns x; past the edge as on the edge."""

    def split(position, length):
        position = np.clip(position, 0, length - 1)
        low = np.minimum(position.astype(int), length - 1)
        return low, np.minimum(low + 1, length - 1), (position - low).astype(np.float32)

    (top, bottom, v), (left, right, u) = split(y, picture.shape[0]), split(x, picture.shape[1])
    v, u = v[:, None], u[None, :]
    upper = picture[top][:, left] * (1 - u) + picture[top][:, right] * u
    lower = picture[bottom][:, left] * (1 - u) + picture[bottom][:, right] * u
    return upper * (1 - v) + lower * v


def centres(count, length):
    """Where the middles of ``count`` equal parts lie among ``length`` pixels."""
    return (np.arange(count) + 0.5) * (length / count) - 0.5


def render(mask, box, height, width, threshold):
    """A mask over its box as zeros and ones in the image."""
    x1, y1, x2, y2 = (int(v) for v in box)
    picture = np.zeros((height, width), np.float32)
    small = sample(mask, centres(y2 - y1 + 1, GRID), centres(x2 - x1 + 1, GRID))
    picture[y1 : y2 + 1, x1 : x2 + 1] = small >= np.float32(threshold)
    return picture


def instances(rois, probabilities, masks, scale, height, width, min_size):
    """ROIs of both rounds in the resized image -> boxes, scores, labels, 21x21 masks in the original, best score first.

    Args:
        height: of the resized image, as is width.
    """
    large = (rois[:, 2] - rois[:, 0] + 1 >= min_size) & (rois[:, 3] - rois[:, 1] + 1 >= min_size)
    rois, probabilities, masks = rois[large], probabilities[large], masks[large]
    height, width = int(np.round(height / np.float32(scale))), int(np.round(width / np.float32(scale)))
    boxes = clip(rois / np.float32(scale), height, width).astype(np.float32)
    kept = []
    for label in range(1, probabilities.shape[1]):
        kept += [(label, i) for i in nms(boxes, probabilities[:, label], 0.3, 100)]
    scores = np.array([probabilities[i, label] for label, i in kept])
    least = max(np.sort(scores)[::-1][min(len(scores), 100) - 1], 1e-3)
    pixels = np.round(boxes)
    instances = []
    for (label, i), score in zip(kept, scores):
        if score < least:
            continue
        voters = np.flatnonzero(overlaps(boxes.astype(np.float64), boxes[i].astype(np.float64)) >= 0.5)
        weights = probabilities[voters, label] / probabilities[voters, label].sum()
        votes = np.zeros((height, width), np.float32)
        for voter, weight in zip(voters, weights):
            votes += np.float32(weight) * render(masks[voter], pixels[voter], height, width, 0.4)
        rows, columns = (
            np.flatnonzero((votes >= np.float32(0.4)).any(axis=1)),
            np.flatnonzero((votes >= np.float32(0.4)).any(axis=0)),
        )
        if not len(rows) or rows[-1] == rows[0] or columns[-1] == columns[0]:
            continue
        y1, y2, x1, x2 = rows[0], rows[-1], columns[0], columns[-1]
        mask = sample(votes, y1 + centres(GRID, y2 - y1 + 1), x1 + centres(GRID, x2 - x1 + 1))
        instances.append(((x1, y1, x2, y2), score, label, mask))
    instances.sort(key=lambda instance: -instance[1])
    boxes, scores, labels, masks = zip(*instances) if instances else ((), (), (), ())
    return (
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(scores, np.float32),
        np.array(labels, np.int64),
        np.array(masks, np.float32).reshape(-1, GRID, GRID),
    )
