# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Convert the annotations of another data set to a COCO instance file, which training and evaluation read.

DATASET and the folder ROOT that it expects, as its archives unpack:
  cityscapes  folder with gtFine/ and leftImg8bit/; groups become crowd regions
  voc         VOCdevkit/VOC2012, the segmentation task, or a folder of this layout with other classes: those of labelmap.txt
              (CVAT) or class_names.txt (labelme) in it; a folder without ImageSets is taken whole
  sbd         benchmark_RELEASE/dataset of the Semantic Boundaries Dataset, on which the paper trains and evaluates
File names in OUT.json are relative to ROOT, so use --images ROOT with it. Annotations that cannot be used (damaged, or without
their image) are left out and named, and the exit status is 2.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

from fcis_ros.errors import InputError

DATASETS = ("cityscapes", "voc", "sbd")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="DATASET", choices=DATASETS, help=f"one of {', '.join(DATASETS)}")
    parser.add_argument("root", metavar="ROOT", help="folder of the data set")
    parser.add_argument("out", metavar="OUT.json", help="file to write, replaced if it exists")
    parser.add_argument("--split", default="train", help="part of the data set: train, val, ... (default: %(default)s)")


def run(arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

    from fcis_ros.cli.output import print_findings
    from fcis_ros.data.coco_writer import to_coco
    from fcis_ros.data.instance_maps import InstanceMap, cityscapes, sbd
    from fcis_ros.data.voc_maps import voc
    from fcis_ros.files import writable
    from fcis_ros.findings import Unusable, left_out, source_of
    from fcis_ros.results.report_parts import write_json

    root, out = Path(arguments.root), Path(arguments.out)
    if not root.is_dir():
        raise InputError(f"{root}: no such folder")
    if Path(arguments.split).name != arguments.split or arguments.split in ("", ".", ".."):
        raise InputError(f"--split {arguments.split}: not the name of a split")
    if not out.absolute().parent.is_dir():
        raise InputError(f"{out}: no such folder {out.absolute().parent}")
    folder = {"cityscapes": cityscapes, "voc": voc, "sbd": sbd}[arguments.dataset](root, arguments.split)
    unusable: list[Unusable] = []

    def usable() -> Iterator[InstanceMap]:
        for entry in tqdm(folder.maps(), total=len(folder.names), unit="image", leave=False, disable=None):
            if isinstance(entry, Unusable):
                unusable.append(entry)
            else:
                yield entry

    content = to_coco(usable(), folder.categories)
    lost = left_out(source_of(root), unusable, len(folder.names))
    if not content["images"]:
        raise InputError(f"{root}: {lost[0].text}")
    with writable(out):
        write_json(content, out)
    counts = f"{len(content['images'])} images, {len(content['annotations'])} objects of {len(folder.categories)} classes"
    print(f"{counts} -> {out}")
    return print_findings(lost)
