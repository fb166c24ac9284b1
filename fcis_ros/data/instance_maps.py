# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Reads the instance maps of other data sets, for ``fcis convert``.

Cityscapes (https://www.cityscapes-dataset.com: gtFine_trainvaltest.zip with fine annotations, leftImg8bit_trainvaltest.zip),
and the Semantic Boundaries Dataset (SBD), on which the paper trains and evaluates. ``voc_maps`` reads PASCAL VOC.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from fcis_ros.errors import InputError
from fcis_ros.findings import Unusable

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


@dataclass(frozen=True)
class MapFolder:
    """The annotations of one split of a data set.

    Attributes:
        root: folder of the data set.
        categories: {category id: name of the class}.
        names: names of the annotations, in the order of the split's list, or of Cityscapes' cities and names.
        read: function from a name to the annotation; raises InputError if it cannot be read.
    """

    root: Path
    categories: Mapping[int, str]
    names: Sequence[str]
    read: Callable[[str], InstanceMap]

    def maps(self) -> Iterator[InstanceMap | Unusable]:
        """Yields the annotations, and those that cannot be read or are without their image."""
        for name in self.names:
            try:
                annotation = self.read(name)
                image = self.root / annotation.file_name
                if not image.is_file():
                    raise InputError(f"{image}: no such image, although it is annotated")
                yield annotation
            except InputError as error:
                yield Unusable(name, str(error).replace(f"{self.root}/", ""))


def cityscapes(root: Path, split: str) -> MapFolder:
    """Opens a split of Cityscapes: a folder with ``gtFine/`` and ``leftImg8bit/``.

    Raises:
        InputError: there are no annotations.
    """
    folder = root / "gtFine" / split
    paths = sorted(path for path in folder.glob(f"*/*{CITYSCAPES_ENDING}") if not path.name.startswith("."))
    if not paths:
        raise InputError(f"{folder}: no CITY/*{CITYSCAPES_ENDING} in this folder")

    names = [path.relative_to(folder).as_posix() for path in paths]
    return MapFolder(root, CITYSCAPES, names, lambda name: _read_cityscapes(folder / name))


def sbd(root: Path, split: str) -> MapFolder:
    """Opens a split of SBD: ``benchmark_RELEASE/dataset`` with ``train.txt``, ``val.txt``, ``inst/*.mat`` and ``img/*.jpg``.

    Raises:
        InputError: there is no such split.
    """
    names = read_split(root / f"{split}.txt", lambda name: (root / "inst" / f"{name}.mat").is_file())
    return MapFolder(root, VOC, names, lambda name: _read_sbd(root / "inst" / f"{name}.mat", name))


def _read_cityscapes(path: Path) -> InstanceMap:
    """A pixel is 1000 times the label id plus the instance's number, or the label id alone for a group: a crowd region."""
    values = read_map(path)
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


def _read_sbd(path: Path, name: str) -> InstanceMap:
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
    return InstanceMap(f"img/{name}.jpg", values, {value: Region(label) for value, label in enumerate(labels, start=1)})


def read_map(path: Path) -> np.ndarray:
    """Reads a PNG with unchanged values: [H, W], or [H, W, 3] RGB for a colour image or one with a palette; 8 or 16 bits.

    Raises:
        InputError: the file is missing or unreadable.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if (values := cv2.imread(str(path), cv2.IMREAD_UNCHANGED)) is None:
        raise InputError(f"{path}: not a readable image")
    return values[:, :, 2::-1] if values.ndim == 3 else values


def read_split(path: Path, exists: Callable[[str], bool]) -> list[str]:
    """Reads the image names from a split's text file, one per line; names may have blanks in them.

    Args:
        path: path of the file.
        exists: function that tells whether there is an annotation of this name. A line that is none loses its last word if
            that is a flag of VOC's lists (-1, 0, 1).

    Raises:
        InputError: the file is missing, unreadable or empty.
    """
    if not path.is_file():
        splits = ", ".join(sorted(file.stem for file in path.parent.glob("*.txt"))) or "none"
        raise InputError(f"{path}: no such split (available: {splits})")
    lines = read_lines(path)
    if not lines:
        raise InputError(f"{path}: no images are listed")
    return [line if exists(line) else re.sub(r"\s+(-1|0|1)$", "", line) for line in lines]


def read_lines(path: Path) -> list[str]:
    """Returns the lines of a text file that are not blank, without blanks around; raises InputError if it is none."""
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{path}: not a readable text file") from None
