# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Write a recording (rosbag2, MCAP) of images, with their ground truth.

BAG gets /image_raw, /frame_names and, with ground truth, /truth/masks (fcis_ros/InstanceMaskArray with the images' headers):
`fcis evaluate-bag BAG --truth-topic /truth/masks` measures against it. Annotations match by file name; crowd regions do not fit
into a message and are left out. The synthetic clip has ground truth with track ids.

Pixels are recorded as they are stored, whatever an EXIF orientation says. Frames that cannot be used are left out and named,
and the exit status is 2.
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
    parser.add_argument("--frames", type=count, help="maximum number of frames (default: all; synthetic: 150)")
    parser.add_argument("--seed", type=int, help="seed of the synthetic clip (default: 0)")


def run(arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

    from fcis_ros.cli.needing import needing
    from fcis_ros.cli.output import finished_bag, print_findings
    from fcis_ros.data.frame_sources import SYNTHETIC, is_live, open_source, without_secrets
    from fcis_ros.findings import Finding, by_reason, source_of

    with needing("pip install rosbags"):
        from fcis_ros.bags.writer import record
        from fcis_ros.evaluation.clip_ground_truth import ClipGroundTruth, synthetic_ground_truth
        from fcis_ros.messages.typestore import NAMES_TOPIC
    if is_live(arguments.input):
        raise InputError(f"{without_secrets(arguments.input)}: a camera is recorded with `ros2 bag record`")
    synthetic = arguments.input == SYNTHETIC
    if not synthetic:
        refuse(arguments, "is for the synthetic clip", "seed")
    elif arguments.annotations:
        raise InputError("the synthetic clip has ground truth already: leave --annotations out")
    annotated = ClipGroundTruth(Path(arguments.annotations)) if arguments.annotations else None
    source = open_source(arguments.input, arguments.rate, arguments.frames, arguments.seed or 0)
    crowds = 0
    findings: tuple[Finding, ...] = ()
    with finished_bag(Path(arguments.out), NAMES_TOPIC) as bag:
        frames = tqdm(source.frames(), "record", source.count, unit="frame", mininterval=0.5)
        clip = record(frames, bag, source.count, synthetic_ground_truth if synthetic else annotated)
        if annotated:
            crowds, findings = annotated.left_out(clip.frames.values())
    text = f"{len(clip.frames)} frames{' with ground truth' if synthetic or annotated else ''}"
    print(f"{text}{f', {crowds} crowd regions left out' if crowds else ''} -> {arguments.out}")
    unusable = by_reason(source_of(Path(arguments.input)), "frame", clip.unusable)
    return print_findings(source.findings + findings + unusable)
