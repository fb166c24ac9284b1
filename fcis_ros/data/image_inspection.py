# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""What a folder of images holds, for ``fcis check``: every image is decoded by the code that the other commands use."""

import contextlib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fcis_ros.data.decoding_threads import in_threads
from fcis_ros.data.frame_sources import list_images, read_file
from fcis_ros.errors import InputError
from fcis_ros.findings import Finding, Inspection, by_reason, counted, listing, source_of
from fcis_ros.image_checks import check_image
from fcis_ros.image_decoding import decode_stored, eight_bits, used_bits
from fcis_ros.image_headers import UPRIGHT, read_header

SIZES = 20  # most frequent sizes that are listed


@dataclass(frozen=True)
class InspectedImage:
    """An image file, decoded once.

    Attributes:
        path: path of the file.
        codec: name of its codec; empty if that is unknown.
        size: width x height in pixels; empty if it cannot be decoded.
        bits: bits of its values, and those in which they are stored; empty if it cannot be decoded.
        orientation: EXIF orientation, 1 to 8.
        problem: reason why it cannot be used; None if it can.
    """

    path: Path
    codec: str = ""
    size: str = ""
    bits: str = ""
    orientation: int = UPRIGHT
    problem: str | None = None


def inspect_folder(folder: Path) -> Inspection:
    """Decodes the images of a folder.

    Raises:
        InputError: the folder cannot be read or has no images.
    """
    paths, findings = list_images(folder)
    inspection = inspect_images(paths, str(folder))
    return replace(inspection, findings=findings + inspection.findings)


def inspect_images(paths: Sequence[Path], title: str) -> Inspection:
    """Decodes image files in parallel, with a progress bar.

    Args:
        paths: image files.
        title: path, or description, of the inspection.
    """
    images = list(in_threads(_inspected, paths, "check"))
    usable = [image for image in images if image.problem is None]
    facts = {
        "images": len(images),
        "usable": len(usable),
        "codecs": _counts(image.codec or "unknown" for image in images),
        "sizes": _counts(image.size for image in usable),
        "bits": _counts(image.bits for image in usable),
        "orientations": _counts("upright" if image.orientation == UPRIGHT else f"EXIF {image.orientation}" for image in usable),
    }
    share = f"{len(usable)} of {len(images)} images"
    uses = {
        "predict": f"finds instances in {share}",
        "record": f"writes {share} as frames of a recording",
        "evaluate, train": f"can use {share}, with annotations that name them",
    }
    if not usable:
        uses = {"predict, record, evaluate, train": "refuse it: no image can be used"}
    source = source_of(Path(title)) if len(paths) != 1 else paths[0].name
    unusable = by_reason(source, "image", ((image.path.name, image.problem) for image in images if image.problem is not None))
    return Inspection(title, "images", facts, uses, (*_remarks(source, usable), *unusable))


def turned_images(source: str, paths: Iterable[Path]) -> tuple[Finding, ...]:
    """Returns a remark if images have an EXIF rotation, which viewers and some labelling tools apply; reads headers only."""
    turned = []
    for path in paths:
        with contextlib.suppress(OSError, ValueError):  # missing, empty; those who decode it say so
            if read_header(np.memmap(path, np.uint8, "r")).orientation != UPRIGHT:
                turned.append(path.name)
    return (Finding(source, _turned_text(turned), lost=False),) if turned else ()


def _turned_text(names: Sequence[str]) -> str:
    text = "used as stored, without the rotation by EXIF that viewers show"
    return f"{counted(len(names), 'image')}: {text}: {listing(names)}"


def _inspected(path: Path) -> InspectedImage:
    image = InspectedImage(path)
    try:
        data = read_file(path)
        header = read_header(data)
        image = replace(image, codec=header.codec, orientation=header.orientation)
        pixels = decode_stored(data, header)
        deep = pixels.dtype == np.uint16
        image = replace(
            image, size=f"{pixels.shape[1]}x{pixels.shape[0]}", bits=f"{used_bits(pixels)} of 16 bits" if deep else "8 bits"
        )
        check_image(eight_bits(pixels) if deep else pixels)
    except InputError as error:
        return replace(image, problem=str(error).removeprefix(f"{path}: "))
    return image


def _remarks(source: str, images: Sequence[InspectedImage]) -> list[Finding]:
    """Returns what users may not expect of images that can be used."""
    turned = [image.path.name for image in images if image.orientation != UPRIGHT]
    deep = Counter(image.bits for image in images if image.bits.endswith("of 16 bits"))
    names: dict[str, list[str]] = {}
    for image in images:
        names.setdefault(unicodedata.normalize("NFC", image.path.stem).casefold(), []).append(image.path.name)
    alike = [name for group in names.values() if len(group) > 1 for name in group]
    remarks = [_turned_text(turned)] if turned else []
    if len(deep) > 1:
        bits = ", ".join(f"{text} in {counted(count, 'image')}" for text, count in sorted(deep.items()))
        remarks.append(f"{deep.total()} images: each reduced to 8 bits by its largest value: {bits}")
    if alike:
        text = "names that differ by folder, suffix, case or Unicode form only, so that annotations may mean either"
        remarks.append(f"{len(alike)} images: {text}: {listing(alike)}")
    return [Finding(source, text, lost=False) for text in remarks]


def _counts(values: Iterable[str]) -> dict[str, int]:
    """Returns the most frequent values with their numbers, and how many have another one."""
    counter = Counter(values)
    common = dict(counter.most_common(SIZES))
    rest = counter.total() - sum(common.values())
    return {**common, "others": rest} if rest else common
