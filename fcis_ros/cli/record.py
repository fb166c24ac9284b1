# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Write a recording (rosbag2, MCAP) of images, with what is really there beside them.

BAG gets /image_raw, /frame_names and, with truth, /truth/masks (fcis_ros/InstanceMaskArray with the images' headers):
`fcis evaluate-bag BAG --truth-topic /truth/masks` measures against them. Annotations match by file name; regions that count as
crowds cannot be said in a message and are left out. The synthetic clip brings its own truth, with track ids.
"""

import argparse
from pathlib import Path

from fcis_ros.cli.arguments import count, positive, refuse
from fcis_ros.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", metavar="IMAGES", help="folder of images, image, video, or 'synthetic', a rendered clip")
    parser.add_argument("--annotations", metavar="JSON", help="COCO instance file of the images")
    parser.add_argument("--out", required=True, metavar="BAG", help="the rosbag2 folder to create")
    parser.add_argument("--rate", type=positive, help="frames per second (default: the input's; still images 5, synthetic 6)")
    parser.add_argument("--frames", type=count, help="only the first so many frames (synthetic: 150 unless given)")
    parser.add_argument("--seed", type=int, help="of the synthetic clip (default: 0)")


def run(arguments: argparse.Namespace) -> None:
    from tqdm import tqdm

    from fcis_ros.cli.needing import needing
    from fcis_ros.cli.output import finished_bag
    from fcis_ros.data.frame_sources import SYNTHETIC, is_live, open_source, without_secrets

    with needing("pip install rosbags"):
        from fcis_ros.bags.writer import record
        from fcis_ros.evaluation.clip_ground_truth import AnnotatedTruth, drawn_truth
    if is_live(arguments.input):
        raise InputError(f"{without_secrets(arguments.input)}: a camera is recorded with `ros2 bag record`")
    truth = drawn_truth if arguments.input == SYNTHETIC else None
    if not truth:
        refuse(arguments, "is of the synthetic clip", "seed")
    if arguments.annotations:
        if truth:
            raise InputError("the synthetic clip has its own truth: leave --annotations out")
        truth = AnnotatedTruth(Path(arguments.annotations))
    source = open_source(arguments.input, arguments.rate, arguments.frames, arguments.seed or 0)
    with finished_bag(Path(arguments.out)) as bag:
        frames = tqdm(source.frames(), "record", source.count, unit="frame", mininterval=0.5)
        recorded = record(frames, bag, source.count, truth)
        if isinstance(truth, AnnotatedTruth):
            truth.require_any(sent.name for sent in recorded.values())
    what = f", {truth.left_out} crowds left out" if isinstance(truth, AnnotatedTruth) and truth.left_out else ""
    print(f"{len(recorded)} frames{' with truth' if truth else ''}{what} -> {arguments.out}")
