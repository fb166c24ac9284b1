# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""From an annotated image to a training item: copy-paste, colour, flip, scale and crop, from a seeded generator."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from fcis_ros.config import ModelConfig
from fcis_ros.model.preprocess import normalise, resize_scale
from fcis_ros.structures import Sample

MIN_PIXELS = 48  # objects with fewer pixels in the crop are ignored: neither object nor background
MIN_VISIBLE = 0.3  # fraction of an object's pixels; objects that are covered further by a pasted one are ignored


@dataclass(frozen=True)
class TrainItem:
    """One training crop of h x w pixels.

    Attributes:
        image: [3, h, w] float32, normalised.
        boxes: [G, 4] float32, first and last pixel.
        labels: [G] int64, 1..C.
        masks: [G, h, w] uint8, 0 or 1.
        ignore: [h, w] uint8, 1 on crowd regions.
    """

    image: Tensor
    boxes: Tensor
    labels: Tensor
    masks: Tensor
    ignore: Tensor


def tight_box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Returns first and last column and row of a mask that is not empty: x1, y1, x2, y2."""
    x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
    return x, y, x + width - 1, y + height - 1


def paste_objects(target: Sample, source: Sample, rng: np.random.Generator, most: int = 5) -> Sample:
    """Pastes objects of one image into another of the same camera (Ghiasi et al., Simple Copy-Paste, CVPR 2021).

    They move freely sideways but only a few pixels up or down, since size and row go together for a camera on a car. Rare
    classes are as likely to be chosen as frequent ones. The rest of an object that was mostly covered becomes a crowd region.
    """
    height, width = target.image.shape[:2]
    objects = np.flatnonzero(~source.crowd & source.masks.any(axis=(1, 2)))  # a sub-pixel polygon has no pixel to paste
    if source.image.shape != target.image.shape or not len(objects):
        return target
    _, inverse, count = np.unique(source.labels[objects], return_inverse=True, return_counts=True)
    weight = 1 / count[inverse]
    chosen = rng.choice(objects, size=min(len(objects), int(rng.integers(1, most + 1))), replace=False, p=weight / weight.sum())
    image, masks, labels, crowd = target.image.copy(), list(target.masks.copy()), list(target.labels), list(target.crowd)
    before = [np.count_nonzero(mask) for mask in masks]
    for index in chosen:
        x1, y1, x2, y2 = tight_box(source.masks[index])
        pixels, alpha = source.image[y1 : y2 + 1, x1 : x2 + 1], source.masks[index][y1 : y2 + 1, x1 : x2 + 1]
        if rng.random() < 0.5:
            pixels, alpha = pixels[:, ::-1], alpha[:, ::-1]
        gain = rng.uniform(0.85, 1.15)
        high, wide = alpha.shape
        left = int(rng.integers(-wide // 3, max(width - 2 * wide // 3, -wide // 3 + 1)))
        top = y1 + int(rng.integers(-3, 4))
        ax, ay, bx, by = max(left, 0), max(top, 0), min(left + wide, width), min(top + high, height)
        visible = slice(ay - top, by - top), slice(ax - left, bx - left)
        if bx - ax < 3 or by - ay < 3 or np.count_nonzero(alpha[visible]) < 30:
            continue
        pixels, alpha = pixels[visible], alpha[visible]
        soft = cv2.GaussianBlur(alpha.astype(np.float32), (3, 3), 0)[..., None]
        under = image[ay:by, ax:bx]
        image[ay:by, ax:bx] = np.clip(soft * pixels * gain + (1 - soft) * under, 0, 255).astype(np.uint8)
        for mask in masks:
            mask[ay:by, ax:bx] &= ~alpha
        masks.append(np.zeros((height, width), dtype=bool))
        masks[-1][ay:by, ax:bx] = alpha
        labels.append(source.labels[index])
        crowd.append(False)
        before.append(np.count_nonzero(alpha))
    pixels = np.array([np.count_nonzero(mask) for mask in masks])
    ignored = np.array(crowd, dtype=bool) | (pixels < MIN_VISIBLE * np.array(before))
    seen = pixels > 0
    return Sample(image, np.stack(masks)[seen], np.array(labels, dtype=np.int64)[seen], ignored[seen], target.name)


def jitter_colour(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Varies gain per channel, contrast, saturation, brightness, sometimes noise; from uint8 to float32 0..255."""
    values = image.astype(np.float32)
    grey: np.ndarray = cv2.transform(values, np.full((1, 3), 1 / 3, dtype=np.float32))[..., None]
    values -= grey
    values *= rng.uniform(0.5, 1.5)
    values += grey
    mean = values.mean()
    values -= mean
    values *= rng.uniform(0.7, 1.35)
    values += mean
    values *= rng.uniform(0.93, 1.07, size=3).astype(np.float32) * rng.uniform(0.7, 1.35)
    if rng.random() < 0.2:
        values += rng.normal(0, rng.uniform(1, 8), size=values.shape).astype(np.float32)
    return np.clip(values, 0, 255, out=values)


def warp_mask(mask: np.ndarray, matrix: np.ndarray, crop: tuple[int, int]) -> np.ndarray:
    """Maps a mask to a crop, bilinearly with threshold 0.5; computes the object's box only.

    Args:
        mask: [H, W] bool, not empty.
        matrix: [2, 3] float64, from pixels of the mask to pixels of the crop.
        crop: height and width of the crop, pixels.

    Returns:
        [height, width] uint8, 0 or 1.
    """
    warped = np.zeros(crop, dtype=np.uint8)
    x1, y1, x2, y2 = tight_box(mask)
    corners = matrix @ np.array([[x1 - 1, x2 + 1], [y1 - 1, y2 + 1], [1, 1]])  # interpolation reaches a pixel beyond the box
    left, top = np.maximum(np.floor(corners.min(axis=1)), 0).astype(int)
    right, bottom = np.minimum(np.ceil(corners.max(axis=1)) + 1, crop[::-1]).astype(int)
    if left >= right or top >= bottom:
        return warped
    inside = mask[y1 : y2 + 1, x1 : x2 + 1].astype(np.uint8) * 255
    local = np.column_stack([matrix[:, :2], matrix @ [x1, y1, 1] - [left, top]])
    warped[top:bottom, left:right] = cv2.warpAffine(inside, local, (right - left, bottom - top), flags=cv2.INTER_LINEAR) >= 128
    return warped


def make_item(
    sample: Sample, config: ModelConfig, crop: tuple[int, int], scale_jitter: tuple[float, float], rng: np.random.Generator
) -> TrainItem:
    """Flips, scales and crops a sample to a training item of ``crop`` = (height, width) pixels."""
    height, width = sample.image.shape[:2]
    high, wide = crop
    scale = resize_scale(height, width, config) * float(np.exp(rng.uniform(*np.log(scale_jitter))))
    flip = rng.random() < 0.5
    # Origin of the crop in the scaled image; a scaled image that is smaller lies at a random position inside the crop.
    free_x, free_y = scale * width - wide, scale * height - high
    offset_x, offset_y = rng.uniform(min(free_x, 0), max(free_x, 0)), rng.uniform(min(free_y, 0), max(free_y, 0))
    matrix = np.array([[scale, 0, 0.5 * scale - 0.5 - offset_x], [0, scale, 0.5 * scale - 0.5 - offset_y]])
    if flip:
        matrix = matrix @ np.array([[-1, 0, width - 1], [0, 1, 0], [0, 0, 1]])

    mean = tuple(float(value) for value in config.mean)
    image = cv2.warpAffine(jitter_colour(sample.image, rng), matrix, (wide, high), flags=cv2.INTER_LINEAR, borderValue=mean)
    ignore = np.zeros((high, wide), dtype=np.uint8)
    masks, labels, boxes = [], [], []
    for mask, label, crowd in zip(sample.masks, sample.labels, sample.crowd, strict=True):
        warped = warp_mask(mask, matrix, crop)
        pixels = cv2.countNonZero(warped)
        if crowd or pixels < MIN_PIXELS:
            ignore |= warped
        else:
            masks.append(warped)
            labels.append(int(label))
            boxes.append(tight_box(warped))
    return TrainItem(
        normalise(image, config).contiguous(),
        torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        torch.tensor(labels, dtype=torch.int64),
        torch.from_numpy(np.array(masks, dtype=np.uint8).reshape(-1, high, wide)),
        torch.from_numpy(ignore),
    )
