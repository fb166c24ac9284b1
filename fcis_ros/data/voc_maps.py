# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Reads folders in the layout of PASCAL VOC: the data set itself, and exports of labelme and CVAT with other classes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fcis_ros.data.instance_maps import VOC, InstanceMap, MapFolder, Region, read_lines, read_map, read_split
from fcis_ros.errors import InputError
from fcis_ros.image_headers import png_chunks

VOID = 255  # outlines and difficult regions: neither object nor background
BACKGROUND = ("_background_", "background")
IGNORED = "__ignore__"
LABELMAP, CLASS_NAMES = "labelmap.txt", "class_names.txt"


@dataclass(frozen=True)
class Classes:
    """The classes of a folder.

    Attributes:
        names: {category id: name}.
        colours: {red * 65536 + green * 256 + blue: category id, 0 for background} of the class maps; None if their values are
            indices.
    """

    names: Mapping[int, str]
    colours: Mapping[int, int] | None = None


def voc(root: Path, split: str) -> MapFolder:
    """Opens a split of a folder like ``VOCdevkit/VOC2012``.

    The folder has ``ImageSets/Segmentation``, ``SegmentationObject``, ``SegmentationClass`` and ``JPEGImages``; labelme writes
    no ``ImageSets``: then all annotations are taken. The classes are those of ``labelmap.txt`` (CVAT) or ``class_names.txt``
    (labelme) in it, else VOC's.

    Raises:
        InputError: there is no such split, no annotation, or the list of classes cannot be read.
    """
    classes, lists, objects = read_classes(root), root / "ImageSets" / "Segmentation", root / "SegmentationObject"
    if lists.is_dir():
        names = read_split(lists / f"{split}.txt", lambda name: (objects / f"{name}.png").is_file())
    else:
        names = sorted(path.stem for path in objects.glob("*.png") if not path.name.startswith("."))
        if not names:
            raise InputError(f"{root}: neither ImageSets/Segmentation nor SegmentationObject/*.png in this folder")
    return MapFolder(root, classes.names, names, lambda name: _read(root, name, classes))


def read_classes(root: Path) -> Classes:
    """Returns the classes of a folder.

    Raises:
        InputError: a list of classes is there, but cannot be read.
    """
    if (root / LABELMAP).is_file():
        return _labelmap(root / LABELMAP)
    if (root / CLASS_NAMES).is_file():
        names = [name for name in _lines(root / CLASS_NAMES) if name != IGNORED]
        if not names:
            raise InputError(f"{root / CLASS_NAMES}: no classes are listed")
        first = 0 if names[0] in BACKGROUND else 1
        return Classes({index: name for index, name in enumerate(names, start=first) if index})
    return Classes(VOC)


def _labelmap(path: Path) -> Classes:
    """Each line is NAME:RED,GREEN,BLUE:PARTS:ACTIONS."""
    names: dict[int, str] = {}
    colours: dict[int, int] = {}
    for line in _lines(path):
        name, _, rest = line.partition(":")
        values = rest.partition(":")[0].split(",")
        if not name or len(values) != 3 or not all(value.strip().isdecimal() and int(value) < 256 for value in values):
            raise InputError(f"{path}: not a line NAME:RED,GREEN,BLUE:PARTS:ACTIONS: {ascii(line)[:80]}")
        red, green, blue = map(int, values)
        category_id = 0 if name in (*BACKGROUND, IGNORED) else len(names) + 1
        colours[red << 16 | green << 8 | blue] = category_id
        if category_id:
            names[category_id] = name
    if not names:
        raise InputError(f"{path}: no classes are listed")
    return Classes(names, colours)


def _lines(path: Path) -> list[str]:
    return [line for line in read_lines(path) if not line.startswith("#")]


def _read(root: Path, name: str, classes: Classes) -> InstanceMap:
    path, class_path = root / "SegmentationObject" / f"{name}.png", root / "SegmentationClass" / f"{name}.png"
    objects, labels = read_indices(path), _read_labels(class_path, classes)
    if objects.shape != labels.shape:
        raise InputError(f"{path}: its size differs from that of the class map of this image")
    regions = {}
    for value in np.unique(objects).tolist():
        inside = labels[(objects == value) & (labels != VOID)]
        if value in (0, VOID) or not inside.size:
            continue
        if (label := int(np.bincount(inside).argmax())) in classes.names:
            regions[value] = Region(label)
        elif label:
            raise InputError(f"{class_path}: class {label} is not listed")
    return InstanceMap(_picture(root, name), objects, regions)


def _picture(root: Path, name: str) -> str:
    """Returns the image of an annotation: a JPEG as in VOC, or another image of this name."""
    jpeg = f"JPEGImages/{name}.jpg"
    if (root / jpeg).is_file():
        return jpeg
    others = sorted(path.name for path in (root / jpeg).parent.glob("*") if path.stem == Path(name).name and path.is_file())
    return f"{Path(jpeg).parent.as_posix()}/{others[0]}" if others else jpeg


def _read_labels(path: Path, classes: Classes) -> np.ndarray:
    """Returns the category ids [H, W] of a class map, 0 for background."""
    if classes.colours is None:
        return read_indices(path)
    image = read_map(path)
    if image.ndim == 2:
        return image
    void = int(_codes(voc_palette()[VOID : VOID + 1])[0])
    codes, inverse = np.unique(_codes(image), return_inverse=True)
    known = {void: VOID, **classes.colours}
    if unknown := [code for code in codes.tolist() if code not in known]:
        colour = ",".join(str(unknown[0] >> shift & 255) for shift in (16, 8, 0))
        raise InputError(f"{path}: the colour {colour} is not in {LABELMAP}")
    return np.array([known[code] for code in codes.tolist()])[inverse].reshape(image.shape[:2])


def read_indices(path: Path) -> np.ndarray:
    """Reads the palette indices [H, W] of a PNG, which OpenCV returns as colours: of its palette, or of VOC's if it has none.

    Raises:
        InputError: the file is missing or unreadable, or a colour is not in VOC's palette.
    """
    image = read_map(path)
    if image.ndim == 2:
        return image
    palette = _stored_palette(path.read_bytes())
    codes, colours = _codes(image), _codes(voc_palette() if palette is None else palette)
    order = np.argsort(colours, kind="stable")
    index = order[np.searchsorted(colours, codes, sorter=order).clip(max=len(colours) - 1)]
    if (colours[index] != codes).any():
        raise InputError(f"{path}: a colour is not in VOC's palette")
    return index


def _codes(colours: np.ndarray) -> np.ndarray:
    return colours.astype(np.int64) @ (1 << 16, 1 << 8, 1)


def _stored_palette(png: bytes) -> np.ndarray | None:
    """Returns the palette [N, 3] of a PNG, None for one without."""
    ranges = ((start, end) for kind, start, end in png_chunks(memoryview(png)) if kind == b"PLTE")
    return next((np.frombuffer(png[start:end], np.uint8).reshape(-1, 3) for start, end in ranges), None)


def voc_palette() -> np.ndarray:
    """Makes VOC's palette [256, 3] uint8 RGB: the index's bits, three at a time, over the high bits of red, green and blue."""
    bits = np.arange(256)[:, None, None] >> np.arange(24).reshape(8, 3) & 1
    return np.packbits(bits, axis=1)[:, 0]
