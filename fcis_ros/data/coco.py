# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Reader of COCO instance files for every command: what a file holds, and what is wrong with it."""

import contextlib
import gc
import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fcis_ros.data.class_names import class_key
from fcis_ros.data.coco_entries import read_entries, whole
from fcis_ros.data.coordinate_units import relative_units
from fcis_ros.data.image_names import name_parts
from fcis_ros.data.segmentation import segmentation_faults
from fcis_ros.errors import InputError
from fcis_ros.findings import Finding, counted, listing


@dataclass(frozen=True)
class ImageEntry:
    """An image of the file, which may have several entries for it.

    Attributes:
        id: id of its first entry.
        file_name: path of the image as recorded in the file.
        height: height in pixels.
        width: width in pixels.
        stamp_ns: acquisition time in nanoseconds since the epoch; None if the file has none.
        fault: reason why the image cannot be used; None without.
    """

    id: int
    file_name: str
    height: int
    width: int
    stamp_ns: int | None = None
    fault: str | None = None


@dataclass(frozen=True)
class Annotation:
    """An entry of the file's annotations: a ground-truth object or a crowd region.

    Attributes:
        title: id or index of the annotation, for messages. Ids have no other use: they may be missing, zero or duplicated.
        category_id: category id of its class.
        segmentation: segmentation as recorded in the file, see ``segmentation.decode_segmentation``; an empty list where the
            file has no mask.
        crowd: whether this is a crowd region.
        bbox: x, y, width, height in pixels; None if the file has none.
        area: area in pixels; None if the file has none.
        track_id: id of the object in all images of a clip; None if the file has none.
        fault: reason why the annotation cannot be used; None without.
        hidden: whether its polygons lie outside the image or along a line, so that they have no pixel.
    """

    title: str
    category_id: int
    segmentation: Any
    crowd: bool
    bbox: tuple[float, float, float, float] | None
    area: float | None
    track_id: int | None = None
    fault: str | None = None
    hidden: bool = False


@dataclass(frozen=True)
class CocoFile:
    """The content of a COCO instance file, masks checked but not yet decoded.

    Attributes:
        origin: path of the file, for messages.
        images: images in the file's order, each once.
        categories: {category id: name}, by ascending id; several may have the same name.
        annotations: {image id: its annotations}.
        findings: what is lost, and remarks, whatever the classes of the model.
    """

    origin: str
    images: tuple[ImageEntry, ...]
    categories: Mapping[int, str]
    annotations: Mapping[int, Sequence[Annotation]]
    findings: tuple[Finding, ...] = ()

    @property
    def name(self) -> str:
        """Name of the file without its folder."""
        return Path(self.origin).name

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes by ascending category id, each once."""
        return tuple(group[0][1] for group in _same_names(self.categories))


def read_coco(path: str | Path) -> CocoFile:
    """Reads a COCO instance file and checks all of it, masks included.

    An image that is listed several times is one image with the objects of all its entries; an object that occurs in it twice
    (same class, same segmentation) is counted once. Entries with different stamps are different frames.

    Raises:
        InputError: the file is missing or not JSON, a key is missing or has a value of the wrong type, an id stands for two
            different images or classes, no image of an annotation is listed, or there are objects, but no masks in pixels.
    """
    with _collecting_later():
        return _read(Path(path))


@contextlib.contextmanager
def _collecting_later() -> Iterator[None]:
    """Pauses the search for reference cycles, which would visit every list of a long file again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _read(path: Path) -> CocoFile:
    content = read_entries(path)
    categories = _categories(path, content["categories"])
    by_id, repeated = _images(path, content["images"])
    annotations: dict[int, list[Annotation]] = {image.id: [] for image in by_id.values()}
    orphans: Counter[int] = Counter()
    for i, entry in enumerate(content["annotations"]):
        if (image := by_id.get(entry["image_id"])) is None:
            orphans[entry["image_id"]] += 1
        else:
            annotations[image.id].append(_annotation(i, entry, categories))
    if orphans and not any(annotations.values()):
        raise InputError(f"{path}: {counted(orphans.total(), 'annotation')} of images that are not listed, and no others")
    listed = sum(len(annotations[image.id]) for image in repeated)
    for image in repeated:
        annotations[image.id] = _each_once(annotations[image.id])
    twice = listed - sum(len(annotations[image.id]) for image in repeated)
    images = tuple(dict.fromkeys(by_id.values()))
    _require_masks(path, annotations)
    checked = _checked(path, images, annotations)
    findings = _findings(path.name, categories, repeated, twice, orphans)
    return CocoFile(str(path), images, categories, checked, findings)


def _categories(path: Path, entries: list[dict[str, Any]]) -> dict[int, str]:
    categories: dict[int, str] = {}
    for entry in sorted(entries, key=lambda entry: entry["id"]):
        name = categories.setdefault(entry["id"], entry["name"])
        if class_key(name) != class_key(entry["name"]):
            raise InputError(f"{path}: two entries of 'categories' have the same id {entry['id']}: {name} and {entry['name']}")
    return categories


def _images(path: Path, entries: list[dict[str, Any]]) -> tuple[dict[int, ImageEntry], list[ImageEntry]]:
    """Returns {id in the file: image}, and the images that have several entries."""
    stamps = defaultdict(set)
    for entry in entries:
        if entry.get("stamp_ns") is not None:
            stamps[name_parts(entry["file_name"])].add(entry["stamp_ns"])
    groups: dict[tuple, list[dict[str, Any]]] = {}
    for entry in entries:
        parts = name_parts(entry["file_name"])
        groups.setdefault((parts, entry.get("stamp_ns") if len(stamps[parts]) > 1 else None), []).append(entry)
    by_id: dict[int, ImageEntry] = {}
    repeated = []
    for group in groups.values():
        id_, name, height, width = (group[0][key] for key in ("id", "file_name", "height", "width"))
        sizes = dict.fromkeys(f"{entry['width']}x{entry['height']}" for entry in group)
        fault = f"listed with {' and with '.join(sizes)} pixels" if len(sizes) > 1 else None
        stamp = next((entry["stamp_ns"] for entry in group if entry.get("stamp_ns") is not None), None)
        image = ImageEntry(id_, name, height, width, stamp, fault)
        repeated += [image] if len(group) > 1 else []
        for entry in group:
            if (other := by_id.setdefault(entry["id"], image)) is not image:
                names = f"{other.file_name} and {entry['file_name']}"
                raise InputError(f"{path}: two entries of 'images' have the same id {entry['id']}: {names}")
    return by_id, repeated


def _annotation(index: int, entry: Mapping[str, Any], categories: Mapping[int, str]) -> Annotation:
    title = f"annotation {entry['id']}" if whole(entry.get("id")) else f"annotations[{index}]"
    segmentation = entry.get("segmentation")
    if segmentation is None or (isinstance(segmentation, list) and segmentation.count([]) == len(segmentation)):
        segmentation = []
    listed = entry["category_id"] in categories
    fault = None if listed else f"names category {entry['category_id']}, which is not listed"
    box = tuple(entry["bbox"]) if entry.get("bbox") else None
    crowd, area, track_id = bool(entry.get("iscrowd")), entry.get("area"), entry.get("track_id")
    return Annotation(title, entry["category_id"], segmentation, crowd, box, area, track_id, fault)


def _each_once(annotations: Iterable[Annotation]) -> list[Annotation]:
    """Leaves out what merged exports say twice about an image."""
    first: dict[tuple, Annotation] = {}
    for annotation in annotations:
        shape = json.dumps(annotation.segmentation) if annotation.segmentation else annotation.bbox
        first.setdefault((annotation.category_id, annotation.crowd, shape), annotation)
    return list(first.values())


def _require_masks(path: Path, annotations: Mapping[int, Sequence[Annotation]]) -> None:
    """Refuses an export for box detectors."""
    entries = [annotation for group in annotations.values() for annotation in group]
    if entries and not any(annotation.segmentation for annotation in entries):
        boxes = sum(annotation.bbox is not None for annotation in entries)
        raise InputError(f"{path}: no masks: all {len(entries)} objects lack a 'segmentation', {boxes} have a box")


def _checked(
    path: Path, images: Iterable[ImageEntry], annotations: Mapping[int, Sequence[Annotation]]
) -> Mapping[int, Sequence[Annotation]]:
    """Returns the annotations; those with broken masks, or polygons that are not in pixels, have that as fault."""
    entries = [(image, entry) for image in images if not image.fault for entry in annotations[image.id] if not entry.fault]
    found = segmentation_faults(
        [entry.segmentation for _, entry in entries], [(image.height, image.width) for image, _ in entries]
    )
    faults = {id(entry): fault for (_, entry), fault in zip(entries, found, strict=True) if fault}
    masks = [(image, entry) for image, entry in entries if entry.segmentation and id(entry) not in faults]
    drawn = [(image, entry) for image, entry in masks if isinstance(entry.segmentation, list)]
    extents = _extents([entry.segmentation for _, entry in drawn])
    sides = np.array([entry.bbox or 4 * (np.nan,) for _, entry in drawn], np.float64).reshape(-1, 4)
    boxes = np.concatenate([sides[:, :2], sides[:, :2] + sides[:, 2:]], axis=1)
    sizes = np.array([(image.width, image.height) for image, _ in drawn], np.float64).reshape(-1, 2)
    unit, units = relative_units(extents, boxes, sizes)
    if unit and len(drawn) == len(masks):
        raise InputError(
            f"{path}: no masks in pixels: its polygons are {unit} (largest coordinate {extents.max():g} in images of up to "
            f"{sizes[:, 0].max():.0f}x{sizes[:, 1].max():.0f})"
        )
    scaled = zip(drawn, units, strict=True)
    faults |= {id(entry): f"its polygons are {known}, not in pixels" for (_, entry), known in scaled if known}
    changed = {id(drawn[index][1]): replace(drawn[index][1], hidden=True) for index in np.flatnonzero(_hidden(extents, sizes))}
    changed |= {id(entry): replace(entry, fault=faults[id(entry)]) for _, entry in entries if id(entry) in faults}
    if not changed:
        return annotations
    return {image_id: [changed.get(id(entry), entry) for entry in group] for image_id, group in annotations.items()}


def _hidden(extents: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Returns whether polygons lie outside the image or along a row or column."""
    least, largest = extents[:, :2], extents[:, 2:]
    return ((largest <= 0) | (least >= sizes) | (largest == least)).any(1)


def _extents(objects: Sequence[Sequence[Sequence[float]]]) -> np.ndarray:
    """Returns [N, 4], least x and y and largest x and y of the polygons of N objects."""
    if not objects:
        return np.zeros((0, 4))
    lengths = [sum(map(len, polygons)) for polygons in objects]
    numbers = itertools.chain.from_iterable(itertools.chain.from_iterable(objects))
    points = np.fromiter(numbers, np.float64, sum(lengths)).reshape(-1, 2)
    starts = np.cumsum([0, *lengths[:-1]]) // 2
    return np.concatenate([np.minimum.reduceat(points, starts), np.maximum.reduceat(points, starts)], axis=1)


def _same_names(categories: Mapping[int, str]) -> list[list[tuple[int, str]]]:
    """Returns (category id, name) in groups with equal names."""
    groups: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for category in categories.items():
        groups[class_key(category[1])].append(category)
    return list(groups.values())


def _findings(
    name: str, categories: Mapping[int, str], repeated: Sequence[ImageEntry], twice: int, orphans: Counter[int]
) -> tuple[Finding, ...]:
    findings = []
    for group in _same_names(categories):
        if len(group) > 1:
            ids = ", ".join(str(category_id) for category_id, _ in group)
            text = f"{len(group)} categories are called {group[0][1]} (ids {ids}) and taken as one class"
            findings.append(Finding(name, text, lost=False))
    merged = [image.file_name for image in repeated if image.fault is None]
    if merged:
        once = f", without {counted(twice, 'repetition')}" if twice else ""
        images = "1 image is" if len(merged) == 1 else f"{len(merged)} images are"
        text = f"{images} listed several times: {listing(merged)}; the objects of the entries are taken together{once}"
        findings.append(Finding(name, text, lost=False))
    if orphans:
        ids = listing(map(str, sorted(orphans)))
        text = f"{counted(orphans.total(), 'annotation')} of {counted(len(orphans), 'image')} not listed (ids {ids})"
        findings.append(Finding(name, text))
    return tuple(findings)
