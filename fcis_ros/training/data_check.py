# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Reads all annotated images once before the first step: whether they can be used, and what identifies them."""

from collections.abc import Collection
from dataclasses import dataclass

from fcis_ros.data.coco_dataset import CocoDataset
from fcis_ros.data.decoding_threads import in_threads
from fcis_ros.data.image_inspection import turned_images
from fcis_ros.errors import InputError
from fcis_ros.files import sha256
from fcis_ros.findings import Finding, counted, left_out, listing, source_of
from fcis_ros.training.distributed import Processes

EXAMPLES = 3  # images that a refusal names


@dataclass(frozen=True)
class CheckedImages:
    """Annotated images that can be trained on.

    Attributes:
        images: the images.
        digests: {file name: SHA-256 of the file in hexadecimal} of these.
        excluded: file names of the images that are left out because they, or their annotations, are damaged.
        findings: what is lost, and remarks.
    """

    images: CocoDataset
    digests: dict[str, str]
    excluded: tuple[str, ...]
    findings: tuple[Finding, ...]


def check_images(
    images: CocoDataset, skip_damaged: bool, processes: Processes, excluded: Collection[str] = ()
) -> CheckedImages:
    """Decodes all images and compares them with their annotations, in the first process, with a progress bar.

    Args:
        images: annotated images.
        skip_damaged: whether images that are damaged are left out whole; False: they are refused.
        processes: processes that train together; all get the same result.
        excluded: file names of images that an earlier start of the run has left out.

    Raises:
        InputError: something of the annotations or images cannot be used (unless ``skip_damaged``), or nothing can.
    """
    images = images.without(excluded)
    digests, faults = processes.from_first(lambda: _read(images))
    lost = [str(finding) for finding in images.findings if finding.lost]
    if faults:
        names = listing((f"{name} ({fault})" for name, fault in faults.items()), EXAMPLES)
        lost.append(f"{len(faults)} of {len(images)} images cannot be used: {names}")
    if len(faults) == len(images):
        raise InputError(f"{images.path}: no image can be used: {'; '.join(lost) or 'it lists none'}")
    if lost and not skip_damaged:
        advice = "`fcis check` lists everything; --skip-damaged leaves it out"
        raise InputError(f"{images.path}: {'; '.join(lost)} ({advice})")
    folder = source_of(images.image_dir)
    earlier = Finding(folder, f"{counted(len(excluded), 'image')} left out by an earlier start: {listing(sorted(excluded))}")
    remarks = images.findings + (earlier,) * bool(excluded) + turned_images(folder, images.paths)
    findings = remarks + left_out(folder, faults.items(), len(images))
    return CheckedImages(images.without(faults), digests, (*sorted({*excluded, *faults}),), findings)


def _read(images: CocoDataset) -> tuple[dict[str, str], dict[str, str]]:
    """Returns {file name: digest} of the images that can be used, and {file name: fault} of the others."""
    digests, faults = {}, {}

    def check(index: int) -> tuple[str, str]:
        fault = images.fault(index) or ""
        return "" if fault else sha256(images.paths[index]), fault

    results = in_threads(check, range(len(images)), "checking the images")
    for name, (digest, fault) in zip(images.file_names, results, strict=True):
        if fault:
            faults[name] = fault
        else:
            digests[name] = digest
    return digests, faults
