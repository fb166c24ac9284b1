# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Reader of COCO instance files for training, evaluation, prediction and the demo."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from fcis_ros.data.frame_sources import read_image
from fcis_ros.data.segmentation import decode_segmentation
from fcis_ros.errors import InputError
from fcis_ros.structures import Sample

_KEYS = {
    "images": ("id", "file_name", "height", "width"),
    "annotations": ("image_id", "category_id", "segmentation"),
    "categories": ("id", "name"),
}


@dataclass(frozen=True)
class ImageEntry:
    """An entry of the file's images.

    Attributes:
        id: id of the image in the file.
        file_name: path of the image as recorded in the file.
        height: height in pixels.
        width: width in pixels.
        stamp_ns: acquisition time in nanoseconds since the epoch; None if the file has none.
    """

    id: int
    file_name: str
    height: int
    width: int
    stamp_ns: int | None = None


@dataclass(frozen=True)
class Annotation:
    """An entry of the file's annotations: a ground-truth object or a crowd region.

    Attributes:
        title: name of the file and id or index of the annotation, for messages. Ids have no other use: they may be missing,
            zero or duplicated.
        category_id: category id of its class.
        segmentation: segmentation as recorded in the file; see ``segmentation.decode_segmentation``.
        crowd: whether this is a crowd region.
        bbox: x, y, width, height in pixels; None if the file has none.
        area: area in pixels; None if the file has none.
        track_id: id of the object in all images of a clip; None if the file has none.
    """

    title: str
    category_id: int
    segmentation: Any
    crowd: bool
    bbox: tuple[float, float, float, float] | None
    area: float | None
    track_id: int | None = None


@dataclass(frozen=True)
class CocoFile:
    """The content of a COCO instance file, masks not yet decoded.

    Attributes:
        origin: name of the file, for messages.
        images: entries of the images in the file's order.
        categories: {category id: name}, by ascending id.
        annotations: {image id: its annotations}.
    """

    origin: str
    images: tuple[ImageEntry, ...]
    categories: Mapping[int, str]
    annotations: Mapping[int, Sequence[Annotation]]

    @cached_property
    def category_ids(self) -> dict[str, int]:
        """{name: category id}."""
        return {name: category_id for category_id, name in self.categories.items()}

    def labels(self, class_names: Sequence[str]) -> dict[int, int]:
        """Returns {category id: label 1..C} of the classes that the file has, matched by name.

        Raises:
            InputError: the file has none of the classes.
        """
        ids = self.category_ids
        labels = {ids[name]: label for label, name in enumerate(class_names, start=1) if name in ids}
        if not labels:
            names = ", ".join(self.categories.values()) or "it has none"
            raise InputError(f"{self.origin}: none of its categories ({names[:300]}) is one of {', '.join(class_names)}"[:800])
        return labels


def read_coco(path: str | Path) -> CocoFile:
    """Reads and checks a COCO instance file.

    Raises:
        InputError: the file is missing or not JSON, a key is missing or has a value of the wrong type, two images or categories
            have the same id, two categories have the same name, or an annotation names an image or category that is not listed.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such annotation file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON ({error})") from None
    for section, keys in _KEYS.items():
        entries = content.get(section) if isinstance(content, dict) else None
        if not isinstance(entries, list):
            raise InputError(f"{path}: not a COCO instance file, it has no list '{section}'")
        for i, entry in enumerate(entries):
            _check_entry(f"{path}: {section}[{i}]", entry, keys)
    images = tuple(ImageEntry(*(entry.get(key) for key in (*_KEYS["images"], "stamp_ns"))) for entry in content["images"])
    categories = {entry["id"]: entry["name"] for entry in sorted(content["categories"], key=lambda entry: entry["id"])}
    annotations: dict[int, list[Annotation]] = {image.id: [] for image in images}
    for section, unique in (("images", annotations), ("categories", categories)):
        if len(unique) != len(content[section]):
            raise InputError(f"{path}: two entries of '{section}' have the same id")
    if len(set(categories.values())) != len(categories):
        raise InputError(f"{path}: two categories have the same name")
    for i, entry in enumerate(content["annotations"]):
        title = f"{path}: annotation {entry['id']}" if _whole(entry.get("id")) else f"{path}: annotations[{i}]"
        image, category = entry["image_id"], entry["category_id"]
        if image not in annotations:
            raise InputError(f"{title} names image {image}, which is not listed")
        if category not in categories:
            raise InputError(f"{title} names category {category}, which is not listed")
        box = tuple(entry["bbox"]) if entry.get("bbox") else None
        crowd, area, track_id = bool(entry.get("iscrowd")), entry.get("area"), entry.get("track_id")
        annotations[image].append(Annotation(title, category, entry["segmentation"], crowd, box, area, track_id))
    return CocoFile(str(path), images, categories, annotations)


def _check_entry(title: str, entry: Any, keys: Sequence[str]) -> None:
    if not isinstance(entry, dict):
        raise InputError(f"{title} has no '{keys[0]}'")
    for key in keys:
        if key not in entry:
            raise InputError(f"{title} has no '{key}'")
    for key in (*keys, *(key for key in ("iscrowd", "bbox", "area", "stamp_ns", "track_id") if entry.get(key) is not None)):
        if not _plausible(key, entry[key]):
            raise InputError(f"{title} has the wrong type of '{key}': {repr(entry[key])[:80]}")


def _plausible(key: str, value: Any) -> bool:
    if key == "segmentation":
        return True  # checked when it is decoded, against the image's size
    if key in ("file_name", "name"):  # a file system takes 255 bytes between slashes
        text = isinstance(value, str) and 0 < len(value) < 1000 and value.isprintable()
        return text and (key == "name" or max(len(part.encode()) for part in value.split("/")) <= 255)
    if key == "iscrowd":
        return value in (0, 1)
    if key == "area":
        return _finite(value) and value >= 0
    if key == "bbox":
        return isinstance(value, list) and len(value) in (0, 4) and all(map(_finite, value))
    return _whole(value) and (0 < value < 2**31 or key not in ("height", "width"))


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63


def _finite(value: Any) -> bool:
    return _whole(value) or (isinstance(value, float) and math.isfinite(value))


class CocoDataset(Sequence[Sample]):
    """The images of a COCO instance file with their objects; images and masks are decoded on access.

    Objects without a single pixel (``segmentation: []``, polygons thinner than a pixel) are left out.

    Attributes:
        path: path of the annotation file.
        image_dir: folder of the images.
        class_names: names of the classes; label i is ``class_names[i - 1]``.

    Args:
        json_path: path of the annotation file.
        image_dir: folder that ``file_name`` is relative to.
        class_names: names of the classes to read, in the order of their labels; objects of other classes are left out. None
            takes all categories, by ascending id.
        limit: maximum number of images, the first of the file; None takes all.

    Raises:
        InputError: the file cannot be used (see ``read_coco``), or has none of the classes.
    """

    def __init__(
        self,
        json_path: str | Path,
        image_dir: str | Path,
        class_names: Sequence[str] | None = None,
        limit: int | None = None,
    ):
        self.path, self.image_dir = Path(json_path), Path(image_dir)
        self._file = read_coco(json_path)
        self._images = self._file.images[:limit]
        self.class_names = tuple(self._file.categories.values() if class_names is None else class_names)
        self._labels = self._file.labels(self.class_names)

    def __len__(self) -> int:
        return len(self._images)

    @property
    def file_names(self) -> list[str]:
        """Paths of the images relative to ``image_dir``, in the order of the indices."""
        return [image.file_name for image in self._images]

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override] # a slice would decode them all
        """Returns image ``index`` with its objects; crowd regions have ``crowd`` set.

        Raises:
            InputError: the image is missing or unreadable or its size differs from the file's, or a mask is malformed.
            IndexError: no such image.
        """
        entry = self._images[index]
        image = read_image(self.image_dir / entry.file_name)
        height, width = image.shape[:2]
        if (height, width) != (entry.height, entry.width):
            says = f"but {self._file.origin} says {entry.width}x{entry.height}"
            raise InputError(f"{self.image_dir / entry.file_name}: {width}x{height} pixels, {says}")
        annotations = [a for a in self._file.annotations[entry.id] if a.category_id in self._labels]
        masks = np.zeros((len(annotations), height, width), bool)
        for mask, annotation in zip(masks, annotations, strict=True):
            try:
                mask[:] = decode_segmentation(annotation.segmentation, height, width)
            except InputError as error:
                raise InputError(f"{annotation.title}: {error}") from None
        labels = np.array([self._labels[annotation.category_id] for annotation in annotations], np.int64)
        crowd = np.array([annotation.crowd for annotation in annotations], bool)
        seen = masks.any(axis=(1, 2))
        return Sample(image, masks[seen], labels[seen], crowd[seen], Path(entry.file_name).name)
