"""The operators in plain PyTorch and NumPy: the definition that faster kernels are compared with.

Letters in shapes: N images, R ROIs, C + 1 classes with background, k cells of the position-sensitive partition per side,
S side of the assembled map (a multiple of k), h x w the feature map, W winners of NMS.
ROIs are [R, 5]: image index, then x1, y1, x2, y2 of the first and last pixel of the input image; an ROI of no image (index -1)
or with a coordinate that is not finite gives zeros. Channels are cell-major: all channels of the first cell of the k x k
partition, then those of the second.
"""

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fcis_ros import boxes as box_arithmetic
from fcis_ros import rle

CHUNK = 64  # ROIs assembled at a time by class_scores, to bound memory


def bin_edges(low: Tensor, high: Tensor, size: int, length: int, stride: int) -> tuple[Tensor, Tensor]:
    """Feature cells [start, end) that each of ``size`` bins of an ROI covers along one axis.

    Released FCIS, ``psroi_pooling.cu``: rounding half away from zero in image pixels, then scaling, all in IEEE float32;
    neighbouring bins overlap when an edge falls inside a cell.

    Args:
        low: [R] first pixel of the ROI on this axis.
        high: [R] last pixel.
        size: bins, S.
        length: feature cells on this axis.
        stride: input pixels per feature cell.

    Returns:
        Two [R, S] int64 tensors; start == end marks an empty bin.
    """

    def to_pixel(value: Tensor) -> Tensor:  # in float64, where x + 0.5 is exact
        wide = value.double()
        return (torch.sign(wide) * torch.floor(wide.abs() + 0.5)).float()

    scale = torch.tensor(1 / stride, dtype=torch.float32, device=low.device)
    start = to_pixel(low) * scale
    end = (to_pixel(high) + 1) * scale
    bin_size = ((end - start).clamp(min=0.1) / size)[:, None]
    index = torch.arange(size, dtype=torch.float32, device=low.device)
    first = torch.floor(index * bin_size + start[:, None])
    last = torch.ceil((index + 1) * bin_size + start[:, None])
    return first.clamp(0, length).long(), last.clamp(0, length).long()


def _averaging_matrix(start: Tensor, end: Tensor, length: int) -> Tensor:
    """[R, S, length]: row s averages the cells start..end-1 of its axis; empty bins give zero rows."""
    cell = torch.arange(length, device=start.device)
    inside = (cell >= start[..., None]) & (cell < end[..., None])
    return inside.float() / (end - start).clamp(min=1)[..., None]


def psroi_assemble(maps: Tensor, rois: Tensor, bins: int, size: int, stride: int) -> Tensor:
    """Assembles position-sensitive maps inside each ROI (section 3.2 of the paper; [0028] of the patent).

    Cell (i, j) of the k x k partition of an ROI is read from map channel group (i, j); every one of the S x S bins is the
    mean of the feature cells it touches. Differentiable with respect to ``maps``.

    Args:
        maps: [N, k*k*G, h, w], channel (i*k + j)*G + g.
        rois: [R, 5].
        bins: k.
        size: S.
        stride: input pixels per feature cell.

    Returns:
        [R, G, S, S] in float32.
    """
    images, channels, height, width = maps.shape
    groups, per_cell = channels // (bins * bins), size // bins
    maps = maps.float().reshape(images, bins, bins, groups, height, width)
    rois = rois.float()
    ignored = ~torch.isfinite(rois).all(dim=1)
    rois = torch.where(ignored[:, None], rois.new_tensor([-1.0, 0, 0, 0, 0]), rois)
    rows = _averaging_matrix(*bin_edges(rois[:, 2], rois[:, 4], size, height, stride), height)
    columns = _averaging_matrix(*bin_edges(rois[:, 1], rois[:, 3], size, width, stride), width)
    assembled = maps.new_zeros(len(rois), groups, bins, per_cell, bins, per_cell)
    parts, order = [], []
    for image in range(images):
        chosen = torch.nonzero(rois[:, 0] == image)[:, 0]
        if not len(chosen):
            continue
        row = rows[chosen].reshape(-1, bins, per_cell, height)
        column = columns[chosen].reshape(-1, bins, per_cell, width)
        # Rows first: per cell row i one matrix product over all ROIs, groups and cell columns at once.
        by_row = torch.einsum("ripy,ijgyx->rigjpx", row, maps[image])
        parts.append(torch.einsum("rigjpx,rjqx->rgipjq", by_row, column))
        order.append(chosen)
    if parts:
        assembled = assembled.index_copy(0, torch.cat(order), torch.cat(parts))
    return assembled.reshape(len(rois), groups, size, size)


def class_scores(score_maps: Tensor, rois: Tensor, bins: int, size: int, stride: int) -> Tensor:
    """Logits of every ROI and class: per bin max(outside, inside), then the mean over all bins (section 3.2).

    Args:
        score_maps: [N, k*k*2*(C+1), h, w], channel ((i*k + j)*2 + s)*(C+1) + class with s = 0 outside, 1 inside.
        rois: [R, 5].
        bins: k.
        size: S.
        stride: input pixels per feature cell.

    Returns:
        [R, C+1] float32. Where outside equals inside, the gradient goes to outside.
    """
    parts = [
        _max_mean(psroi_assemble(score_maps, chunk, bins, size, stride)) for chunk in torch.split(rois, CHUNK) if len(chunk)
    ]
    if not parts:
        return score_maps.new_zeros(0, score_maps.shape[1] // (2 * bins * bins), dtype=torch.float32)
    return torch.cat(parts)


def _max_mean(assembled: Tensor) -> Tensor:
    outside, inside = assembled.chunk(2, dim=1)
    return torch.where(inside > outside, inside, outside).mean(dim=(2, 3))


def class_masks(score_maps: Tensor, rois: Tensor, labels: Tensor, bins: int, size: int, stride: int) -> Tensor:
    """The assembled outside/inside pair of one class per ROI.

    Args:
        score_maps: as for ``class_scores``.
        rois: [R, 5].
        labels: [R] int64, the class whose pair is wanted.
        bins: k.
        size: S.
        stride: input pixels per feature cell.

    Returns:
        [R, 2, S, S] float32, outside then inside; the mask probability is the softmax over dimension 1.
    """
    images, channels, height, width = score_maps.shape
    classes = channels // (2 * bins * bins)
    # Each class of each image is one small set of maps: regard it as an image of its own.
    maps = score_maps.reshape(images, bins * bins * 2, classes, height, width).transpose(1, 2)
    maps = maps.reshape(images * classes, bins * bins * 2, height, width)
    whole = rois[:, 0] == rois[:, 0].floor()
    known = whole & (rois[:, 0] >= 0) & (rois[:, 0] < images) & (labels >= 0) & (labels < classes)
    unit = torch.where(known, rois[:, 0].nan_to_num().long() * classes + labels, -1)
    used, local = torch.unique(unit[known], return_inverse=True)
    if not len(used):
        return score_maps.new_zeros(len(rois), 2, size, size, dtype=torch.float32)
    index = torch.full_like(unit, -1).masked_scatter(known, local)
    local_rois = torch.cat([index[:, None].to(rois.dtype), rois[:, 1:]], dim=1)
    return psroi_assemble(maps[used], local_rois, bins, size, stride)


def winner_masks(score_maps: Tensor, rois: Tensor, scores: Tensor, bins: int, size: int, stride: int) -> Tensor:
    """Mask probabilities of the class with the highest score that is not the background, the lower label of equals.

    Args:
        score_maps: as for ``class_scores``.
        rois: [R, 5].
        scores: [R, C+1].
        bins: k.
        size: S.
        stride: input pixels per feature cell.

    Returns:
        [R, S, S] float32, the softmax of the pair; 0.5 where no feature cell is.
    """
    labels = torch.where(scores.isnan(), -torch.inf, scores)[:, 1:].argmax(dim=1) + 1
    pairs = class_masks(score_maps, rois, labels, bins, size, stride)
    return torch.sigmoid(pairs[:, 1] - pairs[:, 0])


def box_deltas(box_maps: Tensor, rois: Tensor, bins: int, size: int, stride: int) -> Tensor:
    """Position-sensitive average of the box maps: normalised deltas of every ROI.

    Args:
        box_maps: [N, k*k*4, h, w], channel (i*k + j)*4 + d.
        rois: [R, 5].
        bins: k.
        size: S.
        stride: input pixels per feature cell.

    Returns:
        [R, 4] float32: dx, dy, dw, dh before multiplication by the standard deviations.
    """
    return psroi_assemble(box_maps, rois, bins, size, stride).mean(dim=(2, 3))


def decode_anchors(
    logits: Tensor, deltas: Tensor, anchors: Tensor, stride: int, height: int, width: int, min_size: float
) -> tuple[Tensor, Tensor]:
    """The RPN's candidates: the anchors of every feature cell, regressed and clipped, and their probability of being an object.

    Args:
        logits: [2A, h, w], A background, then A object.
        deltas: [4A, h, w], dx, dy, dw, dh of the first anchor, then of the second.
        anchors: [A, 4] of the cell at the origin.
        stride: input pixels per feature cell.
        height: of the resized image, to which candidates are clipped.
        width: of the resized image.
        min_size: least width and height of a candidate.

    Returns:
        [h*w*A, 4] boxes and [h*w*A] scores, cell by cell, row by row; the score of what is too small or not finite is -inf.
    """
    count, rows, columns = len(anchors), *logits.shape[1:]
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    shift = torch.stack([x, y, x, y], dim=-1).to(anchors) * stride
    base = (shift[:, :, None, :] + anchors).reshape(-1, 4)
    moves = deltas.reshape(count, 4, rows, columns).permute(2, 3, 0, 1).reshape(-1, 4)
    found = box_arithmetic.clip(box_arithmetic.decode(base, moves), height, width)
    pairs = logits.double().reshape(2, count, rows, columns)
    probabilities = torch.where(torch.isfinite(pairs).all(dim=0), torch.softmax(pairs, dim=0)[1].float(), -torch.inf)
    scores = probabilities.permute(1, 2, 0).reshape(-1)
    valid = (found[:, 2:] - found[:, :2] + 1 >= min_size).all(dim=1)
    return found, torch.where(valid, scores, -torch.inf)


def decode_rois(rois: Tensor, deltas: Tensor, stds: tuple[float, ...], height: int, width: int) -> Tensor:
    """The ROIs of the second round: those of the first, regressed and clipped.

    Args:
        rois: [R, 5].
        deltas: [R, 4] as ``box_deltas`` gives them.
        stds: four factors for the deltas.
        height: of the resized image.
        width: of the resized image.

    Returns:
        [R, 5]; the image index stays.
    """
    moved = box_arithmetic.decode(rois[:, 1:], deltas * deltas.new_tensor(stds))
    return torch.cat([rois[:, :1], box_arithmetic.clip(moved, height, width)], dim=1)


def place_rois(
    rois: Tensor, scores: Tensor, scale: float, min_size: float, height: int, width: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Boxes of ROIs in the original image.

    Args:
        rois: [R, 4] in the resized image.
        scores: [R, C+1].
        scale: resized pixels per original pixel.
        min_size: least width and height in the resized image.
        height: of the original image, to which boxes are clipped.
        width: of the original image.

    Returns:
        [R, 4] boxes, NaN for an ROI that is too small or not finite; [R, 4] int32, the same to the nearest pixel, then 0; [R]
        bool, whether box and scores are finite.
    """
    finite = torch.isfinite(rois).all(dim=1) & torch.isfinite(scores).all(dim=1)
    able = finite & (rois[:, 2:] - rois[:, :2] + 1 >= min_size).all(dim=1)
    boxes = torch.where(able[:, None], box_arithmetic.clip(rois / scale, height, width), torch.nan)
    return boxes, boxes.nan_to_num().round().int(), finite


def elect(boxes: Tensor, scores: Tensor, winners: Tensor, labels: Tensor, threshold: float) -> tuple[Tensor, Tensor, Tensor]:
    """Who votes for each winner of NMS, and with which weight (released ``mask_voting``; [0036] of the patent).

    Args:
        boxes: [R, 4] in the original image, NaN where an ROI is none.
        scores: [R, C+1] probabilities.
        winners: [W] int64 ROIs, -1: none.
        labels: [W] int64, the winners' classes.
        threshold: least IoU of a voter with the winner.

    Returns:
        [W, R] int32, the ROI itself where it votes, else -1; [W, R] weights, a voter's share in the sum of all voters of its
        winner, by their scores in the winner's class, else 0; [W] the winner's own score, 0 for none.
    """
    found, winner, label = winners >= 0, winners.clamp(min=0), labels.clamp(min=0)
    if not len(boxes):
        empty = boxes.new_zeros(len(winners), 0)
        return empty.int(), empty, boxes.new_zeros(len(winners))
    votes = found[:, None] & (box_arithmetic.iou(boxes[winner].double(), boxes.double()) >= threshold)
    weights = torch.where(votes, scores.T[label].double(), 0)
    shares = torch.where(votes, weights / weights.sum(dim=1, keepdim=True), 0).float()
    voters = torch.where(votes, torch.arange(len(boxes), device=boxes.device), -1).int()
    return voters, shares, torch.where(found, scores[winner, label], 0)


def nms(boxes: Tensor, scores: Tensor, threshold: float, limit: int) -> Tensor:
    """Greedy non-maximum suppression; equal scores keep their input order.

    Args:
        boxes: [R, 4] float32, first and last pixel. A box or score that is not finite is never kept.
        scores: [R] float32.
        threshold: a box with IoU above this against a kept box is dropped.
        limit: most boxes to keep.

    Returns:
        [limit] int64: indices of the kept boxes, best first, then -1: the size is known before the result.
    """
    able = np.flatnonzero((torch.isfinite(boxes).all(dim=1) & torch.isfinite(scores)).numpy())
    order = able[np.argsort(-scores.numpy()[able], kind="stable")]
    overlaps = box_arithmetic.iou(boxes[order], boxes[order]).numpy()
    kept = _greedy(overlaps, threshold, limit)
    result = torch.full((limit,), -1, dtype=torch.long)
    result[: len(kept)] = torch.as_tensor(order[kept])
    return result


def _greedy(overlaps: np.ndarray, threshold: float, limit: int) -> list[int]:
    alive = np.ones(len(overlaps), dtype=bool)
    kept = []
    for i in range(len(overlaps)):
        if alive[i] and len(kept) < limit:
            kept.append(i)
            alive &= overlaps[i] <= threshold
    return kept


def class_nms(boxes: Tensor, scores: Tensor, threshold: float, floor: float, limit: int) -> tuple[Tensor, Tensor]:
    """NMS of every class by itself, then the best of all classes (released ``tester.py``).

    Args:
        boxes: [R, 4] float32, the same for all classes.
        scores: [R, C+1] float32, background first.
        threshold: as for ``nms``.
        floor: least score that takes part. NMS is greedy from the top: what is below it cannot change what is above.
        limit: most results; among equal scores the lower label, then the lower index comes first.

    Returns:
        [limit] int64 indices of boxes and [limit] int64 labels, best first, then -1.
    """
    winners = []
    for label in range(1, scores.shape[1]):
        own = torch.where(scores[:, label] >= floor, scores[:, label], torch.nan)
        kept = nms(boxes, own, threshold, limit)
        winners += [(-float(own[i]), label, place, int(i)) for place, i in enumerate(kept) if i >= 0]
    winners = sorted(winners)[:limit]
    result = torch.full((2, limit), -1, dtype=torch.long)
    for place, (_, label, _, index) in enumerate(winners):
        result[0, place], result[1, place] = index, label
    return result[0], result[1]


def vote_masks(
    boxes: Tensor,
    masks: Tensor,
    index: Tensor,
    weights: Tensor,
    height: int,
    width: int,
    threshold: float,
    binarise_first: bool,
    resample: int,
    capacity: int | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Every winner's mask: the weighted mean of its voters' masks, each rendered over its own box, then thresholded.

    Args:
        boxes: [R, 4] int32, first and last pixel, inside the image.
        masks: [M, S, S] float32 probabilities.
        index: [W, R] int32, which of the masks an ROI casts for a winner; -1: none.
        weights: [W, R] float32, summing to 1 over the voters of a winner.
        height: of the image.
        width: of the image.
        threshold: for masks.
        binarise_first: threshold every candidate before averaging (released code) or average probabilities (patent).
        resample: 0 takes the vote map as it is; otherwise it is shrunk to this many samples a side and enlarged again, and
            masks one pixel wide or high are dropped (released code).
        capacity: room for run lengths, None: as many as there are.

    Returns:
        [W, 4] int32 tight half-open boxes (zeros where no pixel won); [T] int32 run lengths of all masks, down the columns of
        the box, background first; [W] int32 where each winner's runs end. With a capacity runs are [capacity], those that do
        not fit are left out, and the rest is 0.
    """
    found, runs, ends = [], [], []
    for chosen, weight in zip(index.numpy(), weights.numpy(), strict=True):
        placed = None
        if (chosen >= 0).any():
            voters = np.flatnonzero(chosen >= 0)
            votes, corner = _vote(
                boxes.numpy()[voters], masks.numpy()[chosen[voters]], weight[voters], height, width, threshold, binarise_first
            )
            placed = _tight(votes, corner, threshold, resample)
        box, mask = placed or ((0, 0, 0, 0), None)
        found.append(box)
        runs.append(np.zeros(0, np.int32) if mask is None else rle.encode(mask).astype(np.int32))
        ends.append(sum(map(len, runs)))
    if capacity is not None:
        runs = [part for part, end in zip(runs, ends, strict=True) if end <= capacity]
        runs.append(np.zeros(capacity - sum(map(len, runs)), np.int32))
    return (
        torch.tensor(found, dtype=torch.int32).reshape(-1, 4),
        torch.from_numpy(np.concatenate([np.zeros(0, np.int32), *runs])),
        torch.tensor(ends, dtype=torch.int32),
    )


def _vote(boxes, masks, weights, height, width, threshold, binarise_first) -> tuple[np.ndarray, tuple[int, int]]:
    """The vote map over the union of the boxes, [h', w'] float32, and its top left corner (x, y)."""
    x1, y1 = (int(v) for v in boxes[:, :2].min(axis=0))
    x2, y2 = (int(v) for v in boxes[:, 2:].max(axis=0))
    if x1 < 0 or y1 < 0 or x2 >= width or y2 >= height:
        raise ValueError(f"boxes: ({x1}, {y1}, {x2}, {y2}) is not inside the {width}x{height} image")
    votes = np.zeros((y2 - y1 + 1, x2 - x1 + 1), dtype=np.float32)
    for (left, top, right, bottom), mask, weight in zip(boxes.astype(int), masks, weights, strict=True):
        # INTER_LINEAR is half-pixel bilinear sampling with edge clamp, without smoothing when it shrinks.
        rendered = cv2.resize(mask, (right - left + 1, bottom - top + 1), interpolation=cv2.INTER_LINEAR)
        if binarise_first:
            rendered = (rendered >= np.float32(threshold)).astype(np.float32)
        votes[top - y1 : bottom - y1 + 1, left - x1 : right - x1 + 1] += np.float32(weight) * rendered
    return votes, (x1, y1)


def _tight(
    votes: np.ndarray, corner: tuple[int, int], threshold: float, resample: int
) -> tuple[tuple[int, int, int, int], np.ndarray] | None:
    """The vote map as a mask in its tight box; None when no pixel gets enough votes."""
    mask = votes >= np.float32(threshold)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    y1, y2, x1, x2 = rows[0], rows[-1], columns[0], columns[-1]
    mask = mask[y1 : y2 + 1, x1 : x2 + 1]
    if resample:
        if x2 <= x1 or y2 <= y1:
            return None
        # Samples may read past the tight box.
        small = _sample(votes, (x1, y1, x2, y2), resample)
        mask = cv2.resize(small, (int(x2 - x1 + 1), int(y2 - y1 + 1)), interpolation=cv2.INTER_LINEAR) >= np.float32(threshold)
        if not mask.any():
            return None
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    crop = np.ascontiguousarray(mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    left, top = int(corner[0] + x1 + columns[0]), int(corner[1] + y1 + rows[0])
    return (left, top, left + crop.shape[1], top + crop.shape[0]), crop


def _sample(votes: np.ndarray, box: tuple[int, int, int, int], size: int) -> np.ndarray:
    """Half-pixel bilinear samples of a vote map on a size x size grid over a box; 0 past the map's edge."""
    x1, y1, x2, y2 = box
    padded = torch.from_numpy(np.pad(votes, 1))
    height, width = padded.shape
    xs = 1 + x1 + (torch.arange(size, dtype=torch.float64) + 0.5) * float(x2 - x1 + 1) / size - 0.5
    ys = 1 + y1 + (torch.arange(size, dtype=torch.float64) + 0.5) * float(y2 - y1 + 1) / size - 0.5
    grid_y, grid_x = torch.meshgrid(2 * ys / (height - 1) - 1, 2 * xs / (width - 1) - 1, indexing="ij")
    grid = torch.stack([grid_x, grid_y], dim=-1)[None]
    return F.grid_sample(padded.double()[None, None], grid, align_corners=True)[0, 0].float().numpy()


def label_map(boxes: Tensor, runs: Tensor, ends: Tensor, height: int, width: int) -> Tensor:
    """[H, W] uint16: at every pixel the number of the best instance there, counted from 1; 0 where there is none.

    Args:
        boxes: [W, 4] int32 half-open, best instance first.
        runs: [T] int32, as ``vote_masks`` gives them.
        ends: [W] int32.
        height: of the image.
        width: of the image.
    """
    labels = np.zeros((height, width), dtype=np.uint16)
    starts = [0, *ends.tolist()]
    for number in reversed(range(len(boxes))):
        x1, y1, x2, y2 = boxes[number].tolist()
        mask = rle.decode(runs[starts[number] : starts[number + 1]].numpy(), y2 - y1, x2 - x1)
        labels[y1:y2, x1:x2][mask] = number + 1
    return torch.from_numpy(labels)


def paint(image: Tensor, labels: Tensor, colours: Tensor, alpha: float) -> Tensor:
    """The overlay: every labelled pixel blended with its instance's colour, in full colour at the instance's visible edge.

    Args:
        image: [H, W, 3] uint8.
        labels: [H, W] uint16, as ``label_map`` gives it.
        colours: [W, 3] uint8, one per instance.
        alpha: opacity, 0..1, in steps of 1/256.

    Returns:
        [H, W, 3] uint8.
    """
    number, own = labels.numpy().astype(int), int(alpha * 256 + 0.5)
    edge = np.zeros(number.shape, dtype=bool)
    for axis in (0, 1):
        differs = np.diff(number, axis=axis) != 0
        before = [slice(None)] * 2
        after = list(before)
        before[axis], after[axis] = slice(None, -1), slice(1, None)
        edge[tuple(before)] |= differs
        edge[tuple(after)] |= differs
    tint = np.concatenate([np.zeros((1, 3), int), colours.numpy()])[number]
    blended = (image.numpy().astype(int) * (256 - own) + tint * own + 128) >> 8
    result = np.where(edge[..., None], tint, blended)
    return torch.from_numpy(np.where(number[..., None] > 0, result, image.numpy()).astype(np.uint8))
