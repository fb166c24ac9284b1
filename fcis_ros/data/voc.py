# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""PASCAL VOC 2012 and the Semantic Boundaries Dataset (SBD), whose annotations the paper trains and evaluates on."""

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
VOID = 255  # outlines and what is too hard: neither object nor background


def voc_maps(root: Path, split: str) -> tuple[int, Iterator[InstanceMap]]:
    """The images of one split of VOC's segmentation task, in the order of its list, and how many they are.

    Args:
        root: ``VOCdevkit/VOC2012``: ``ImageSets/Segmentation``, ``SegmentationObject``, ``SegmentationClass``, ``JPEGImages``.
        split: train, val or trainval.

    Raises:
        InputError: there are no such files, or one is unreadable.
    """
    names = read_split(root / "ImageSets" / "Segmentation" / f"{split}.txt")
    return len(names), (_read_voc(root, name) for name in names)


def sbd_maps(root: Path, split: str) -> tuple[int, Iterator[InstanceMap]]:
    """The images of one split of SBD, in the order of its list, and how many they are.

    Args:
        root: ``benchmark_RELEASE/dataset``: ``train.txt``, ``val.txt``, ``inst/*.mat``, ``img/*.jpg``.
        split: train or val (SBD's own, not VOC's).

    Raises:
        InputError: there are no such files, or one is unreadable.
    """
    names = read_split(root / f"{split}.txt")
    return len(names), (_read_sbd(root, name) for name in names)


def _read_voc(root: Path, name: str) -> InstanceMap:
    path = root / "SegmentationObject" / f"{name}.png"
    objects, classes = indices(path), indices(path.parent.parent / "SegmentationClass" / path.name)
    if objects.shape != classes.shape:
        raise InputError(f"{path}: another size than the map of classes of this image")
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
    except Exception as error:  # noqa: BLE001 (SciPy's reader raises whatever a damaged file leads it to)
        raise InputError(f"{path}: no instance annotation of SBD ({type(error).__name__})") from None
    known = values.ndim == 2 and set(np.unique(values).tolist()) <= set(range(len(labels) + 1))
    if not known or not set(labels) <= set(CATEGORIES):
        raise InputError(f"{path}: its numbers of objects or classes are out of range")
    regions = {value: Region(label) for value, label in enumerate(labels, start=1)}
    return InstanceMap(require_picture(root, f"img/{name}.jpg"), values, regions)


def indices(path: Path) -> np.ndarray:
    """[H, W] palette indices of a PNG, which OpenCV hands out as colours: VOC's palette gives them back.

    Raises:
        InputError: missing, unreadable, or a colour is none of the palette's.
    """
    image = read_map(path)
    if image.ndim == 2:
        return image
    codes = image.astype(np.int64) @ (1 << 16, 1 << 8, 1)
    colours = palette().astype(np.int64) @ (1 << 16, 1 << 8, 1)
    order = np.argsort(colours)
    found = order[np.searchsorted(colours, codes, sorter=order).clip(max=255)]
    if (colours[found] != codes).any():
        raise InputError(f"{path}: a colour of it is none of VOC's palette")
    return found


def palette() -> np.ndarray:
    """[256, 3] uint8 RGB: VOC's palette spreads the index's bits, three at a time, over the high bits of red, green, blue."""
    index = np.arange(256)
    colours = np.zeros((256, 3), dtype=np.uint8)
    for step in range(8):
        for channel in range(3):
            colours[:, channel] |= ((index >> (3 * step + channel) & 1) << (7 - step)).astype(np.uint8)
    return colours
