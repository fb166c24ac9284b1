# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Reads the instance maps of other data sets, for ``fcis convert``.

Cityscapes (https://www.cityscapes-dataset.com: gtFine_trainvaltest.zip with fine annotations, leftImg8bit_trainvaltest.zip),
PASCAL VOC 2012, and the Semantic Boundaries Dataset (SBD), on which the paper trains and evaluates.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from fcis_ros.errors import InputError

# The classes whose instances Cityscapes evaluates, by Cityscapes' label ids.
CITYSCAPES = {
    24: "person", 25: "rider", 26: "car", 27: "truck", 28: "bus", 31: "train", 32: "motorcycle", 33: "bicycle",
}  # fmt: skip
CITYSCAPES_ENDING = "_gtFine_instanceIds.png"
VOC_NAMES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog", "horse",
    "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
VOC = dict(enumerate(VOC_NAMES, start=1))
VOC_VOID = 255  # outlines and difficult regions: neither object nor background
CATEGORIES = {"cityscapes": CITYSCAPES, "voc": VOC, "sbd": VOC}  # {name: {category id: name of the class}}


@dataclass(frozen=True)
class Region:
    """The meaning of one value of an instance map: its class, and whether it is a crowd region instead of one object."""

    category_id: int
    crowd: bool = False


@dataclass(frozen=True, eq=False)
class InstanceMap:
    """The annotation of one image.

    Attributes:
        file_name: path of the image, relative to the data set's folder.
        values: [H, W] integers, one value per object.
        regions: {value: its meaning}; values that are not listed are background or void.
    """

    file_name: str
    values: np.ndarray
    regions: Mapping[int, Region]


def instance_maps(dataset: str, root: Path, split: str) -> tuple[int, Iterator[InstanceMap]]:
    """Reads one split of a data set, as its archives unpack.

    Args:
        dataset: name of the data set, a key of ``CATEGORIES``.
        root: folder of the data set; for ``cityscapes``, with ``gtFine/`` and ``leftImg8bit/``; for ``voc``,
            ``VOCdevkit/VOC2012`` with ``ImageSets/Segmentation``, ``SegmentationObject``, ``SegmentationClass`` and
            ``JPEGImages``; for ``sbd``, ``benchmark_RELEASE/dataset`` with ``train.txt``, ``val.txt``, ``inst/*.mat`` and
            ``img/*.jpg``.
        split: train, val, ... (of SBD, not of VOC; the published annotations of Cityscapes' test are ignored regions only).

    Returns:
        Number of images, and their annotations in the order of the split's list, or of Cityscapes' cities and names.

    Raises:
        InputError: no annotation exists, or a file is missing or unreadable.
    """
    if dataset == "cityscapes":
        paths = sorted((root / "gtFine" / split).glob(f"*/*{CITYSCAPES_ENDING}"))
        if not paths:
            raise InputError(f"{root / 'gtFine' / split}: no CITY/*{CITYSCAPES_ENDING} in this folder")
        read = _read_cityscapes
    elif dataset == "voc":
        names = _read_split(root / "ImageSets" / "Segmentation" / f"{split}.txt")
        paths, read = [root / "SegmentationObject" / f"{name}.png" for name in names], _read_voc
    else:
        paths, read = [root / "inst" / f"{name}.mat" for name in _read_split(root / f"{split}.txt")], _read_sbd

    def maps() -> Iterator[InstanceMap]:
        for path in paths:
            image = read(path)
            if not (root / image.file_name).is_file():
                raise InputError(f"{root / image.file_name}: no such image, although it is annotated")
            yield image

    return len(paths), maps()


def _read_cityscapes(path: Path) -> InstanceMap:
    """A pixel is 1000 times the label id plus the instance's number, or the label id alone for a group: a crowd region."""
    values = _read_map(path)
    if values.ndim != 2:
        raise InputError(f"{path}: not a map of instance numbers but a colour image")
    split, city, name = path.parts[-3:]
    regions = {}
    for value in np.unique(values).tolist():
        label = value if value < 1000 else value // 1000
        if label in CITYSCAPES:
            regions[value] = Region(label, crowd=value < 1000)
    picture = f"leftImg8bit/{split}/{city}/{name.removesuffix(CITYSCAPES_ENDING)}_leftImg8bit.png"
    return InstanceMap(picture, values, regions)


def _read_voc(path: Path) -> InstanceMap:
    objects, classes = read_indices(path), read_indices(path.parent.parent / "SegmentationClass" / path.name)
    if objects.shape != classes.shape:
        raise InputError(f"{path}: its size differs from that of the class map of this image")
    regions = {}
    for value in np.unique(objects).tolist():
        labels = classes[(objects == value) & (classes != VOC_VOID)]
        if value not in (0, VOC_VOID) and labels.size and (label := int(np.bincount(labels).argmax())) in VOC:
            regions[value] = Region(label)
    return InstanceMap(f"JPEGImages/{path.stem}.jpg", objects, regions)


def _read_sbd(path: Path) -> InstanceMap:
    from scipy.io import loadmat

    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        truth = loadmat(str(path), variable_names=["GTinst"])["GTinst"][0, 0]
        values = np.asarray(truth["Segmentation"], dtype=np.int64)
        labels = np.asarray(truth["Categories"], dtype=np.int64).ravel().tolist()
    except Exception as error:  # noqa: BLE001 (SciPy's reader raises many types for a damaged file)
        raise InputError(f"{path}: not an instance annotation of SBD ({type(error).__name__})") from None
    known = values.ndim == 2 and set(np.unique(values).tolist()) <= set(range(len(labels) + 1))
    if not known or not set(labels) <= set(VOC):
        raise InputError(f"{path}: its numbers of objects or classes are out of range")
    return InstanceMap(f"img/{path.stem}.jpg", values, {value: Region(label) for value, label in enumerate(labels, start=1)})


def _read_map(path: Path) -> np.ndarray:
    """Reads a PNG with unchanged values: [H, W], or [H, W, 3] RGB for a colour image; 8 or 16 bits."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if (values := cv2.imread(str(path), cv2.IMREAD_UNCHANGED)) is None:
        raise InputError(f"{path}: not a readable image")
    return values[:, :, 2::-1] if values.ndim == 3 else values


def _read_split(path: Path) -> list[str]:
    """Reads the image names from a split's text file, one per line."""
    if not path.is_file():
        splits = ", ".join(sorted(file.stem for file in path.parent.glob("*.txt"))) or "none"
        raise InputError(f"{path}: no such split (available: {splits})")
    try:
        names = [line.split()[0] for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{path}: not a readable text file") from None
    if not names:
        raise InputError(f"{path}: no images are listed")
    return names


def read_indices(path: Path) -> np.ndarray:
    """Reads the palette indices [H, W] of a PNG, which OpenCV returns as the colours of VOC's palette.

    Raises:
        InputError: the file is missing or unreadable, or a colour is not in the palette.
    """
    image = _read_map(path)
    if image.ndim == 2:
        return image
    codes, colours = (values.astype(np.int64) @ (1 << 16, 1 << 8, 1) for values in (image, voc_palette()))
    order = np.argsort(colours)
    index = order[np.searchsorted(colours, codes, sorter=order).clip(max=255)]
    if (colours[index] != codes).any():
        raise InputError(f"{path}: a colour is not in VOC's palette")
    return index


def voc_palette() -> np.ndarray:
    """Makes VOC's palette [256, 3] uint8 RGB: the index's bits, three at a time, over the high bits of red, green and blue."""
    bits = np.arange(256)[:, None, None] >> np.arange(24).reshape(8, 3) & 1
    return np.packbits(bits, axis=1)[:, 0]
