# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Convert the annotations of another data set to a COCO instance file, which training and evaluation read.

DATASET and the folder ROOT that it expects, as its archives unpack:
  cityscapes  folder with gtFine/ and leftImg8bit/; groups become crowd regions
  voc         VOCdevkit/VOC2012, the segmentation task
  sbd         benchmark_RELEASE/dataset of the Semantic Boundaries Dataset, on which the paper trains and evaluates
File names in OUT.json are relative to ROOT, so use --images ROOT with it.
"""

import argparse
from pathlib import Path

from fcis_ros.errors import InputError

DATASETS = ("cityscapes", "voc", "sbd")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", metavar="DATASET", choices=DATASETS, help=f"one of {', '.join(DATASETS)}")
    parser.add_argument("root", metavar="ROOT", help="folder of the data set")
    parser.add_argument("out", metavar="OUT.json", help="file to write, replaced if it exists")
    parser.add_argument("--split", default="train", help="part of the data set: train, val, ... (default: %(default)s)")


def run(arguments: argparse.Namespace) -> None:
    from tqdm import tqdm

    from fcis_ros.data.coco_writer import to_coco
    from fcis_ros.data.instance_maps import CATEGORIES, instance_maps
    from fcis_ros.files import writable
    from fcis_ros.results.report_parts import write_json

    root, out = Path(arguments.root), Path(arguments.out)
    if not root.is_dir():
        raise InputError(f"{root}: no such folder")
    if Path(arguments.split).name != arguments.split or arguments.split in ("", ".", ".."):
        raise InputError(f"--split {arguments.split}: not the name of a split")
    if not out.absolute().parent.is_dir():
        raise InputError(f"{out}: no such folder {out.absolute().parent}")
    categories = CATEGORIES[arguments.dataset]
    count, maps = instance_maps(arguments.dataset, root, arguments.split)
    content = to_coco(tqdm(maps, total=count, unit="image", leave=False, disable=None), categories)
    with writable(out):
        write_json(content, out)
    print(f"{count} images, {len(content['annotations'])} objects of {len(categories)} classes -> {out}")
