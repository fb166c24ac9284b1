# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Decodes COCO segmentations (polygons, run lengths, compressed run lengths) to masks with pycocotools.

The C code of pycocotools does not check its input: counts that do not fit the image make it loop or write out of bounds, and a
polygon outside the image costs memory for every pixel of its outline. So everything is checked here first.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from fcis_ros import rle
from fcis_ros.errors import InputError
from fcis_ros.structures import Instances


def decode_segmentation(segmentation: Any, height: int, width: int) -> np.ndarray:
    """Decodes a COCO segmentation to a mask [height, width] bool; arguments and errors as in ``encode_segmentation``."""
    return coco_mask.decode(encode_segmentation(segmentation, height, width)).astype(bool)


def encode_segmentation(segmentation: Any, height: int, width: int) -> dict[str, Any]:
    """Converts a COCO segmentation to COCO's compressed run lengths, which are safe to pass to pycocotools.

    Args:
        segmentation: list of polygons (each x, y, x, y ... in pixels, pixel corners at whole numbers), or run lengths
            ``{"size": [height, width], "counts": ...}`` down the columns: a list of counts, or COCO's compressed string. An
            empty list is an empty mask.
        height: height of the image in pixels.
        width: width of the image in pixels.

    Raises:
        InputError: the segmentation is none of these, or made for an image of another size.
    """
    check_segmentation(segmentation, height, width)
    if isinstance(segmentation, dict):
        counts = segmentation["counts"]
        counts = _decompress(counts).tolist() if isinstance(counts, str) else counts
        return coco_mask.frPyObjects({"size": [height, width], "counts": counts}, height, width)
    if not segmentation:
        return coco_mask.frPyObjects({"size": [height, width], "counts": [height * width]}, height, width)
    return coco_mask.merge(coco_mask.frPyObjects(segmentation, height, width))


def check_segmentation(segmentation: Any, height: int, width: int) -> None:
    """Checks a segmentation without drawing it; arguments and errors as in ``encode_segmentation``."""
    if isinstance(segmentation, list):
        _check_polygons(segmentation, height, width)
        return
    if not isinstance(segmentation, dict) or "counts" not in segmentation or "size" not in segmentation:
        raise InputError("segmentation is neither polygons nor run lengths with 'size' and 'counts'")
    size, counts = segmentation["size"], segmentation["counts"]
    if size != [height, width]:
        raise InputError(f"mask size {str(size)[:60]} disagrees with the image's height and width [{height}, {width}]")
    if isinstance(counts, str):
        lengths = _decompress(counts)
        # Larger ones are wrong by themselves, and their sum might overflow.
        wrong = bool(((lengths < 0) | (lengths > height * width)).any()) or int(lengths.sum()) != height * width
    elif isinstance(counts, list) and set(map(type, counts)) <= {int}:
        wrong = min(counts, default=0) < 0 or sum(counts) != height * width
    else:
        raise InputError("run lengths are neither a string nor a list of whole numbers")
    if wrong:
        raise InputError(f"run lengths do not add up to the {height * width} pixels of the image")


def to_instances(
    entries: Sequence[dict[str, Any]], height: int, width: int, class_names: tuple[str, ...]
) -> tuple[Instances, list[dict[str, Any]]]:
    """Converts COCO results or annotations of one image to instances.

    Args:
        entries: entries with compressed masks and labels as category ids; the score is 1 where an entry has none.
        height: height of the image in pixels.
        width: width of the image in pixels.
        class_names: C names of the foreground classes.

    Returns:
        The instances, and the entry of each; entries with an empty mask are left out.
    """
    decoded = ((entry, coco_mask.decode(entry["segmentation"]).astype(bool)) for entry in entries)
    encoded = [(entry, *rle.encode_tight(mask)) for entry, mask in decoded if mask.any()]
    kept = [entry for entry, _, _ in encoded]
    instances = Instances(
        height,
        width,
        np.array([box for _, box, _ in encoded], np.int32).reshape(-1, 4),
        np.array([entry.get("score", 1.0) for entry in kept], np.float32),
        np.array([entry["category_id"] for entry in kept], np.int64),
        tuple(runs for _, _, runs in encoded),
        class_names,
    )
    return instances, kept


def _check_polygons(polygons: list, height: int, width: int) -> None:
    outline = 0.0
    # pycocotools takes a polygon of two points for a box; COCO's tools write three points or more.
    for polygon in polygons:
        if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
            raise InputError("a polygon is not a list of at least three x, y pairs")
        numbers = set(map(type, polygon)) <= {int, float}
        # NaN may hide from minimum and maximum, but not from the sum.
        if not numbers or not -1e6 < min(polygon) <= max(polygon) < 1e6 or math.isnan(sum(polygon)):
            raise InputError("a polygon has a coordinate that is not a number of pixels")
        outline += len(polygon) * (max(polygon) - min(polygon))  # more than the length in steps from pixel to pixel
    # Memory is proportional to the length of the outline. No real outline visits every pixel of its image.
    longest = height * width + 100 * (height + width)
    if outline > longest and sum(map(_outline, polygons)) > longest:
        raise InputError(f"polygons whose outline is longer than {longest} pixels, in an image of {width}x{height}")


def _outline(polygon: list) -> float:
    """Returns the length of a closed polygon in steps from pixel to pixel."""
    points = np.array(polygon, dtype=np.float64).reshape(-1, 2)
    return float(np.abs(points - np.roll(points, 1, axis=0)).max(axis=1).sum())


def _decompress(text: str) -> np.ndarray:
    """Decodes COCO's compressed counts to int64.

    Digits in base 32 with 48 added, low digits first, bit 5 set if more follow, signed; from the fourth count on each is the
    difference to the second last one.
    """
    if not text:
        return np.zeros(0, np.int64)
    digits = np.frombuffer(text.encode("latin-1", "replace"), np.uint8) - np.uint8(48)  # which wraps below 48
    ends = np.flatnonzero(digits < 32)
    foreign = "the compressed run lengths contain a character or number that no COCO tool writes"
    if not text.isascii() or digits.max() >= 64:
        raise InputError(foreign)
    if not len(ends) or ends[-1] != len(digits) - 1:
        raise InputError("the compressed run lengths end in the middle of a number")
    starts = np.zeros_like(ends)
    starts[1:] = ends[:-1] + 1
    lengths = ends - starts + 1
    if lengths.max() > 12:  # 60 bits
        raise InputError(foreign)
    counts = (digits[starts] & 31).astype(np.int64)
    for digit in range(1, lengths.max()):
        longer = np.flatnonzero(lengths > digit)
        counts[longer] += (digits[starts[longer] + digit] & 31).astype(np.int64) << 5 * digit
    negative = np.flatnonzero(digits[ends] & 16)
    counts[negative] -= 1 << 5 * lengths[negative]
    counts[1::2].cumsum(out=counts[1::2])
    counts[2::2].cumsum(out=counts[2::2])
    return counts
