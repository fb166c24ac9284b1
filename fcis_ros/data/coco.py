"""COCO instance files: images with polygons or run lengths, read with pycocotools one image at a time."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from fcis_ros.data.frames import read_image
from fcis_ros.errors import InputError
from fcis_ros.structures import Sample

_KEYS = {
    "images": ("id", "file_name", "height", "width"),
    "annotations": ("image_id", "category_id", "segmentation"),
    "categories": ("id", "name"),
}


class CocoDataset(Sequence):
    """The images of a COCO instance file, each with its objects; masks and pictures are decoded when asked for.

    Attributes:
        class_names: label i is ``class_names[i - 1]``.
        category_ids: the file's id of each class, None where it has no such category.

    Args:
        json_path: the annotation file.
        image_dir: the folder that ``file_name`` is relative to.
        class_names: classes to read, matched by name, in the order of their labels; objects of others are left out. None takes
            all categories, by ascending id.

    Raises:
        InputError: the file is missing, is not JSON, lacks a key, names an image or category that it does not list, or has
            none of the classes.
    """

    def __init__(self, json_path: str | Path, image_dir: str | Path, class_names: Sequence[str] | None = None):
        self.path, self.image_dir = Path(json_path), Path(image_dir)
        content = self._read()
        names = {category["id"]: category["name"] for category in sorted(content["categories"], key=lambda c: c["id"])}
        self.class_names = tuple(names.values() if class_names is None else class_names)
        ids = {name: id_ for id_, name in names.items()}
        self.category_ids = list(names) if class_names is None else [ids.get(name) for name in self.class_names]
        if all(id_ is None for id_ in self.category_ids):
            raise InputError(
                f"{self.path}: none of its categories ({', '.join(names.values()) or 'it has none'}) "
                f"is one of {', '.join(self.class_names) or 'no classes'}"
            )
        self._label = {id_: label for label, id_ in enumerate(self.category_ids, start=1) if id_ is not None}
        self._images = content["images"]
        self._by_id: dict[int, list[dict]] = {image["id"]: [] for image in self._images}
        for annotation in content["annotations"]:
            if annotation["image_id"] not in self._by_id:
                raise InputError(f"{self._title(annotation)} names image {annotation['image_id']}, which is not listed")
            if annotation["category_id"] not in names:
                raise InputError(f"{self._title(annotation)} names category {annotation['category_id']}, which is not listed")
            if annotation["category_id"] in self._label:
                self._by_id[annotation["image_id"]].append(annotation)
        self._index = {Path(image["file_name"]).name: i for i, image in enumerate(self._images)}
        self._index.update({image["file_name"]: i for i, image in enumerate(self._images)})

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> Sample:
        """Image ``index`` and its objects; regions to ignore have ``crowd`` set.

        Raises:
            InputError: the picture is missing or unreadable or has another size than the file says, or a mask is malformed.
            IndexError: no such image.
        """
        entry = self._images[index]
        image = read_image(self.image_dir / entry["file_name"])
        height, width = image.shape[:2]
        if (height, width) != (entry["height"], entry["width"]):
            raise InputError(
                f"{self.image_dir / entry['file_name']}: {width}x{height} pixels, but {self.path} says "
                f"{entry['width']}x{entry['height']}"
            )
        annotations = self._by_id[entry["id"]]
        masks = np.zeros((len(annotations), height, width), bool)
        for mask, annotation in zip(masks, annotations, strict=True):
            try:
                mask[:] = decode_segmentation(annotation["segmentation"], height, width)
            except InputError as error:
                raise InputError(f"{self._title(annotation)}: {error}") from None
        labels = np.array([self._label[annotation["category_id"]] for annotation in annotations], np.int64)
        crowd = np.array([bool(annotation.get("iscrowd", 0)) for annotation in annotations], bool)
        return Sample(image, masks, labels, crowd, Path(entry["file_name"]).name)

    def by_name(self, file_name: str) -> Sample | None:
        """The image of that name (with or without its folder), None if the file lists no such image."""
        index = self._index.get(file_name)
        return None if index is None else self[index]

    def annotations_for(self, name: str) -> list[dict[str, Any]]:
        """The file's own entries for the objects of an image; empty if it has none or there is no such image."""
        index = self._index.get(name)
        return [] if index is None else list(self._by_id[self._images[index]["id"]])

    def _title(self, annotation: Mapping) -> str:
        return f"{self.path}: annotation {annotation.get('id', '(without id)')}"

    def _read(self) -> dict[str, list[dict]]:
        if not self.path.is_file():
            raise InputError(f"{self.path}: no such annotation file")
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            raise InputError(f"{self.path}: not JSON ({error})") from None
        except OSError as error:
            raise InputError(f"{self.path}: cannot be read ({error.strerror})") from None
        for section, keys in _KEYS.items():
            entries = content.get(section) if isinstance(content, dict) else None
            if not isinstance(entries, list):
                raise InputError(f"{self.path}: not a COCO instance file, it has no list '{section}'")
            for i, entry in enumerate(entries):
                missing = next((key for key in keys if not isinstance(entry, dict) or key not in entry), None)
                if missing is not None:
                    raise InputError(f"{self.path}: {section}[{i}] has no '{missing}'")
                wrong = next((key for key in keys if key != "segmentation" and not _plausible(key, entry[key])), None)
                if wrong is not None:
                    raise InputError(f"{self.path}: {section}[{i}] has the wrong type of '{wrong}': {entry[wrong]!r}"[:300])
            unique = {entry["id"] for entry in entries} if section != "annotations" else entries
            if len(unique) != len(entries):
                raise InputError(f"{self.path}: two entries of '{section}' have the same id")
        return content


def _plausible(key: str, value: Any) -> bool:
    if key in ("file_name", "name"):
        return isinstance(value, str) and value != ""
    return isinstance(value, int) and not isinstance(value, bool) and (value > 0 or key not in ("height", "width"))


def decode_segmentation(segmentation: Any, height: int, width: int) -> np.ndarray:
    """A COCO segmentation as [height, width] bool.

    Args:
        segmentation: a list of polygons (each x, y, x, y ... in pixels, a pixel's corner at whole numbers), or run lengths
            ``{"size": [height, width], "counts": ...}`` down the columns: a list of counts, or COCO's compressed string.
        height: of the image, pixels.
        width: of the image, pixels.

    Raises:
        InputError: none of these, or made for an image of another size.
    """
    if isinstance(segmentation, list):
        return _decode_polygons(segmentation, height, width)
    if not isinstance(segmentation, dict) or "counts" not in segmentation or "size" not in segmentation:
        raise InputError("segmentation is neither polygons nor run lengths with 'size' and 'counts'")
    size, counts = segmentation["size"], segmentation["counts"]
    if size != [height, width]:
        raise InputError(f"mask size {size} disagrees with the image's height and width [{height}, {width}]")
    if isinstance(counts, str):
        counts = _decompress(counts)
    elif not isinstance(counts, list) or not all(isinstance(n, int) and not isinstance(n, bool) for n in counts):
        raise InputError("run lengths are neither a string nor a list of whole numbers")
    if any(n < 0 for n in counts) or sum(counts) != height * width:
        raise InputError(f"run lengths do not add up to the {height * width} pixels of the image")
    return coco_mask.decode(coco_mask.frPyObjects({"size": size, "counts": counts}, height, width)).astype(bool)


def _decode_polygons(polygons: list, height: int, width: int) -> np.ndarray:
    for polygon in polygons:
        if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
            raise InputError("a polygon is not a list of at least three x, y pairs")
        if not all(isinstance(c, (int, float)) and not isinstance(c, bool) and abs(c) < 1e6 for c in polygon):
            raise InputError("a polygon has a coordinate that is not a number of pixels")
    if not polygons:
        return np.zeros((height, width), bool)
    # pycocotools takes a polygon of two points for a box; three points are the least that COCO's tools write.
    return coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(polygons, height, width))).astype(bool)


def _decompress(text: str) -> list[int]:
    """COCO's compressed counts: base 32 with 48 added, low digits first, bit 5 for "more follows", signed; from the fourth
    on each is the difference to the one two before it. Checked here because the C decoder trusts its input."""
    counts: list[int] = []
    value = shift = 0
    for character in text:
        digit = ord(character) - 48
        if not 0 <= digit < 64 or shift > 60:
            raise InputError("the compressed run lengths contain what no COCO tool writes")
        value |= (digit & 31) << shift
        shift += 5
        if not digit & 32:
            if digit & 16:
                value -= 1 << shift
            counts.append(value + counts[-2] if len(counts) > 2 else value)
            value = shift = 0
    if shift:
        raise InputError("the compressed run lengths end in the middle of a number")
    return counts
