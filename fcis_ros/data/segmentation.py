# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Decodes COCO segmentations (polygons, run lengths, compressed run lengths) to masks with pycocotools.

The C code of pycocotools does not check its input: counts that do not fit the image make it loop or write out of bounds, and a
polygon outside the image costs memory for every pixel of its outline. So everything is checked here first.
"""

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from fcis_ros import rle
from fcis_ros.errors import InputError
from fcis_ros.structures import Instances

# Digits with bit 5 set, and a last one without: counts of at most 60 bits.
COMPRESSED = re.compile(r"(?:[P-o]{0,11}[0-O])+")


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
    if fault := segmentation_faults([segmentation], [(height, width)])[0]:
        raise InputError(fault)
    if isinstance(segmentation, dict):
        counts = segmentation["counts"]
        counts = _decompress([counts])[0].tolist() if isinstance(counts, str) else counts
        return coco_mask.frPyObjects({"size": [height, width], "counts": counts}, height, width)
    if not segmentation:
        return coco_mask.frPyObjects({"size": [height, width], "counts": [height * width]}, height, width)
    return coco_mask.merge(coco_mask.frPyObjects(segmentation, height, width))


def segmentation_faults(segmentations: Sequence[Any], sizes: Sequence[tuple[int, int]]) -> list[str | None]:
    """Checks segmentations without drawing them: 100 000 take seconds.

    Args:
        segmentations: N segmentations, see ``encode_segmentation``.
        sizes: height and width of the image of each, in pixels.

    Returns:
        For each segmentation what is wrong with it; None if nothing is.
    """
    faults: list[str | None] = []
    compressed: list[int] = []  # indices; these are decoded together
    for index, (segmentation, (height, width)) in enumerate(zip(segmentations, sizes, strict=True)):
        try:
            if isinstance(segmentation, list):
                _check_polygons(segmentation, height, width)
            elif isinstance(_check_run_lengths(segmentation, height, width), str):
                compressed.append(index)
        except InputError as error:
            faults.append(str(error))
        else:
            faults.append(None)
    pixels = np.array([sizes[index][0] * sizes[index][1] for index in compressed], np.int64)
    counts, starts = _decompress([segmentations[index]["counts"] for index in compressed])
    if len(counts):
        # Larger counts are wrong by themselves, and their sum might overflow.
        low, high = np.minimum.reduceat(counts, starts), np.maximum.reduceat(counts, starts)
        wrong = (low < 0) | (high > pixels) | (np.add.reduceat(counts, starts) != pixels)
        for index in np.flatnonzero(wrong).tolist():
            faults[compressed[index]] = _not_filling(int(pixels[index]))
    return faults


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
        least, most = (min(polygon), max(polygon)) if set(map(type, polygon)) <= {int, float} else (math.nan, math.nan)
        # NaN may hide from minimum and maximum, but not from the sum.
        if not -1e6 < least <= most < 1e6 or math.isnan(sum(polygon)):
            raise InputError("a polygon has a coordinate that is not a number of pixels")
        outline += len(polygon) * (most - least)  # more than the length in steps from pixel to pixel
    # Memory is proportional to the length of the outline. No real outline visits every pixel of its image.
    longest = height * width + 100 * (height + width)
    if outline > longest and sum(map(_outline, polygons)) > longest:
        raise InputError(f"polygons whose outline is longer than {longest} pixels, in an image of {width}x{height}")


def _outline(polygon: list) -> float:
    """Returns the length of a closed polygon in steps from pixel to pixel."""
    points = np.array(polygon, dtype=np.float64).reshape(-1, 2)
    return float(np.abs(points - np.roll(points, 1, axis=0)).max(axis=1).sum())


def _check_run_lengths(segmentation: Any, height: int, width: int) -> str | list[int]:
    """Returns the counts; the sum of compressed ones is not checked."""
    if not isinstance(segmentation, dict) or "counts" not in segmentation or "size" not in segmentation:
        raise InputError("segmentation is neither polygons nor run lengths with 'size' and 'counts'")
    size, counts = segmentation["size"], segmentation["counts"]
    if size != [height, width]:
        raise InputError(f"mask size {str(size)[:60]} disagrees with the image's height and width [{height}, {width}]")
    if isinstance(counts, str):
        if not COMPRESSED.fullmatch(counts):
            raise InputError("the compressed run lengths are not what COCO's tools write")
    elif not isinstance(counts, list) or not set(map(type, counts)) <= {int}:
        raise InputError("run lengths are neither a string nor a list of whole numbers")
    elif min(counts, default=0) < 0 or sum(counts) != height * width:
        raise InputError(_not_filling(height * width))
    return counts


def _not_filling(pixels: int) -> str:
    return f"run lengths do not add up to the {pixels} pixels of the image"


def _decompress(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Decodes COCO's compressed counts.

    Digits in base 32 with 48 added, low digits first, bit 5 set if more follow, signed; from the fourth count on each is the
    difference to the second last one.

    Args:
        texts: counts of N masks, each a full match of ``COMPRESSED``.

    Returns:
        The counts of all masks, int64, and [N] where those of each mask start.
    """
    digits = np.frombuffer("".join(texts).encode("ascii"), np.uint8) - np.uint8(48)
    ends = np.flatnonzero(digits < 32)
    firsts = np.concatenate([[0], ends[:-1] + 1])[: len(ends)]
    lengths = ends - firsts + 1
    values = (digits[firsts] & 31).astype(np.int64)
    for digit in range(1, lengths.max(initial=0)):
        longer = np.flatnonzero(lengths > digit)
        values[longer] += (digits[firsts[longer] + digit] & 31).astype(np.int64) << 5 * digit
    negative = np.flatnonzero(digits[ends] & 16)
    values[negative] -= 1 << 5 * lengths[negative]
    # Differences add up along every second count of a mask: sums over all masks, minus the sum before the mask. They may wrap.
    starts = np.searchsorted(ends, np.cumsum([0, *map(len, texts)])[:-1])
    mask = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(values))))
    position = np.arange(len(values)) - starts[mask]
    counts = values.copy()
    for parity in (0, 1):
        chain = (position > 0) & (position % 2 == parity)
        sums = np.cumsum(np.where(chain, values, 0))
        before = np.concatenate([[0], sums])[starts]
        counts[chain] = (sums - before[mask])[chain]
    return counts, starts
