# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Intermediate outputs for one image in the released code's orders, for comparison with the original.

Orders of channels, coordinates and semantics are the original's, in fp32: released voting, with soft 21x21 masks in tight
boxes of first and last pixels. As in the original the size of the image is computed back from the resized one, which may
differ from the true one by a pixel. Only the random copies with which it fills up its proposals are left out.
"""

import dataclasses

import numpy as np
import torch

from fcis_ros.model.fcis import FCIS
from fcis_ros.model.precision import convolving
from fcis_ros.model.preprocess import Original, preprocess
from fcis_ros.model.proposals import propose
from fcis_ros.model.voting import VoteAssignment, assign_votes
from fcis_ros.ops.reference.mask_voting import sample, vote_map


@torch.inference_mode()
def raw_outputs(model: FCIS, image: np.ndarray, device: torch.device) -> dict[str, np.ndarray]:
    """Computes the intermediate outputs of an fp32 network for one image.

    Args:
        model: network in fp32, on the device.
        image: [H, W, 3] uint8, RGB.
        device: device of the model.

    Returns:
        ``data`` [1, 3, H', W'], ``im_info`` [1, 3] (H', W', scale), ``rpn_cls_prob`` [1, 2A, h, w] (A background, A object),
        ``rpn_bbox_pred`` [1, 4A, h, w], ``rois`` [R, 5] (0, x1, y1, x2, y2 in the resized image, first round, then second),
        ``cls_prob`` [R, C+1], ``seg_prob`` [R, S, S] (foreground of the best foreground class); of the n detections, best
        first: ``boxes`` [n, 4] in the image, ``scores`` [n], ``labels`` [n] from 1, ``masks21`` [n, S, S] before the last
        threshold.
    """
    config = dataclasses.replace(model.config, voting="released", mask_output="released")
    data, true_size = preprocess(image, config, device)
    height, width = data.shape[2:]
    with convolving("fp32"):
        maps = model.dense(data)
    proposals = propose(maps.logits[0], maps.deltas[0], model.rpn.anchors, height, width, config)
    fused = model.fuse_rounds(proposals.boxes, maps.score_maps, maps.box_maps, height, width)
    finite = torch.isfinite(fused.boxes).all(dim=1)
    pairs = maps.logits[0].unflatten(0, (2, -1))
    scale = np.float32(true_size.scale)
    original = Original(int(np.round(height / scale)), int(np.round(width / scale)), true_size.scale)
    outputs = {
        "data": data,
        "im_info": torch.tensor([[height, width, true_size.scale]]),
        "rpn_cls_prob": torch.softmax(pairs, dim=0).flatten(0, 1)[None],
        "rpn_bbox_pred": maps.deltas,
        "rois": torch.nn.functional.pad(fused.boxes, (1, 0))[finite],
        "cls_prob": fused.scores[finite],
        "seg_prob": fused.masks[finite],
    }
    votes = assign_votes(fused, original, config, 0.0)
    return {name: np.ascontiguousarray(value.cpu().numpy(), np.float32) for name, value in outputs.items()} | detections(
        votes, fused.masks.cpu().numpy(), original, config.mask_threshold, config.grid
    )


def detections(
    assignment: VoteAssignment, masks: np.ndarray, original: Original, threshold: float, size: int
) -> dict[str, np.ndarray]:
    """Votes as the released GPU code does: tight boxes of the vote maps, and samples of the maps in them."""
    index, weights = assignment.index.cpu().numpy(), assignment.weights.cpu().numpy()
    boxes, kept, soft = [], [], []
    for winner, label in enumerate(assignment.labels.tolist()):
        voters = np.flatnonzero(index[winner] >= 0)
        if label < 1 or not len(voters):
            continue
        voter_boxes = assignment.boxes.cpu().numpy()[voters]
        chosen, share = masks[index[winner][voters]], weights[winner][voters]
        votes, corner = vote_map(voter_boxes, chosen, share, original.height, original.width, threshold, binarise_first=True)
        rows, columns = (np.flatnonzero((votes >= np.float32(threshold)).any(axis=axis)) for axis in (1, 0))
        if len(rows) < 1 or rows[-1] == rows[0] or columns[-1] == columns[0]:
            continue
        box = np.array([columns[0], rows[0], columns[-1], rows[-1]]) + np.tile(corner, 2)
        boxes.append(box)
        kept.append(winner)
        soft.append(sample(votes, corner, box, size, original.height, original.width))
    return {
        "boxes": np.array(boxes, np.float32).reshape(-1, 4),
        "scores": assignment.scores.cpu().numpy()[kept],
        "labels": assignment.labels.cpu().numpy()[kept].astype(np.int64),
        "masks21": np.array(soft, np.float32).reshape(-1, size, size),
    }
