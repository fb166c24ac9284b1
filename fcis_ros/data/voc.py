# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Readers of PASCAL VOC 2012 and of the Semantic Boundaries Dataset (SBD), on which the paper trains and evaluates."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fcis_ros.data.coco_writer import InstanceMap, Region, read_map, read_split, require_picture
from fcis_ros.errors import InputError

NAMES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog", "horse",
    "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
CATEGORIES = dict(enumerate(NAMES, start=1))
VOID = 255  # outlines and difficult regions: neither object nor background


def voc_maps(root: Path, split: str) -> tuple[int, Iterator[InstanceMap]]:
    """Reads one split of VOC's segmentation task.

    Args:
        root: folder ``VOCdevkit/VOC2012`` with ``ImageSets/Segmentation``, ``SegmentationObject``, ``SegmentationClass`` and
            ``JPEGImages``.
        split: train, val or trainval.

    Returns:
        Number of images, and their annotations in the order of the split's list.

    Raises:
        InputError: a file is missing or unreadable.
    """
    names = read_split(root / "ImageSets" / "Segmentation" / f"{split}.txt")
    return len(names), (_read_voc(root, name) for name in names)


def sbd_maps(root: Path, split: str) -> tuple[int, Iterator[InstanceMap]]:
    """Reads one split of SBD.

    Args:
        root: folder ``benchmark_RELEASE/dataset`` with ``train.txt``, ``val.txt``, ``inst/*.mat`` and ``img/*.jpg``.
        split: train or val (of SBD, not of VOC).

    Returns:
        Number of images, and their annotations in the order of the split's list.

    Raises:
        InputError: a file is missing or unreadable.
    """
    names = read_split(root / f"{split}.txt")
    return len(names), (_read_sbd(root, name) for name in names)


def _read_voc(root: Path, name: str) -> InstanceMap:
    path = root / "SegmentationObject" / f"{name}.png"
    objects, classes = indices(path), indices(path.parent.parent / "SegmentationClass" / path.name)
    if objects.shape != classes.shape:
        raise InputError(f"{path}: its size differs from that of the class map of this image")
    regions = {}
    for value in np.unique(objects).tolist():
        labels = classes[(objects == value) & (classes != VOID)]
        if value not in (0, VOID) and labels.size and (label := int(np.bincount(labels).argmax())) in CATEGORIES:
            regions[value] = Region(label)
    return InstanceMap(require_picture(root, f"JPEGImages/{name}.jpg"), objects, regions)


def _read_sbd(root: Path, name: str) -> InstanceMap:
    from scipy.io import loadmat

    path = root / "inst" / f"{name}.mat"
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        truth = loadmat(str(path), variable_names=["GTinst"])["GTinst"][0, 0]
        values = np.asarray(truth["Segmentation"], dtype=np.int64)
        labels = np.asarray(truth["Categories"], dtype=np.int64).ravel().tolist()
    except Exception as error:  # noqa: BLE001 (SciPy's reader raises many types for a damaged file)
        raise InputError(f"{path}: not an instance annotation of SBD ({type(error).__name__})") from None
    known = values.ndim == 2 and set(np.unique(values).tolist()) <= set(range(len(labels) + 1))
    if not known or not set(labels) <= set(CATEGORIES):
        raise InputError(f"{path}: its numbers of objects or classes are out of range")
    regions = {value: Region(label) for value, label in enumerate(labels, start=1)}
    return InstanceMap(require_picture(root, f"img/{name}.jpg"), values, regions)


def indices(path: Path) -> np.ndarray:
    """Reads the palette indices [H, W] of a PNG, which OpenCV returns as the colours of VOC's palette.

    Raises:
        InputError: the file is missing or unreadable, or a colour is not in the palette.
    """
    image = read_map(path)
    if image.ndim == 2:
        return image
    codes = image.astype(np.int64) @ (1 << 16, 1 << 8, 1)
    colours = palette().astype(np.int64) @ (1 << 16, 1 << 8, 1)
    order = np.argsort(colours)
    index = order[np.searchsorted(colours, codes, sorter=order).clip(max=255)]
    if (colours[index] != codes).any():
        raise InputError(f"{path}: a colour is not in VOC's palette")
    return index


def palette() -> np.ndarray:
    """Makes VOC's palette [256, 3] uint8 RGB: the index's bits, three at a time, over the high bits of red, green and blue."""
    index = np.arange(256)
    colours = np.zeros((256, 3), dtype=np.uint8)
    for step in range(8):
        for channel in range(3):
            colours[:, channel] |= ((index >> (3 * step + channel) & 1) << (7 - step)).astype(np.uint8)
    return colours
