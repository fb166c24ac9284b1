# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Evaluate a model on every frame of recordings (rosbag2), offline: accuracy, raw detections, a report.

BAG is a rosbag2 folder or a bare .mcap or .db3 file, compressed or not. DIR gets report.json, the raw detections from a score
of 0.02 as COCO results (detections.json; annotations.json beside it holds the truth in the same ids), frames.jsonl with what
was right and wrong in each frame, and timing.json. All but the last is the same, byte for byte, every time.

Annotations are a COCO instance file. Its images match frames by a field stamp_ns (the header's stamp in nanoseconds) where they
have it; else by file name, if the recording has /frame_names; else by their order. A truth topic, such as `fcis record` writes,
matches by the headers' stamps. Without truth nothing is measured, but detections are kept.

An interrupted evaluation leaves a report of what it did, and goes on where it stopped when it is started again. With --shard,
processes on any number of machines share the work; a part that is complete already is not done again:
    seq 7 | xargs -P 2 -I{} fcis evaluate-bag drive/ --annotations drive.json --out drive.eval --shard {}/7
    fcis evaluate-merge drive.eval
"""

import argparse
from pathlib import Path

from fcis_ros.cli.arguments import add_model, unit
from fcis_ros.cli.report import add_baseline, report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bags", nargs="+", metavar="BAG", help="recordings; their frames are evaluated together")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the results, created")
    truth = parser.add_mutually_exclusive_group()
    truth.add_argument("--annotations", metavar="JSON", help="COCO instance file of the frames, for AP")
    truth.add_argument("--truth-topic", metavar="TOPIC", help="of fcis_ros/InstanceMaskArray messages that hold the truth")
    parser.add_argument("--topic", help="of the images, raw or compressed, where a recording has several such topics")
    parser.add_argument("--score", type=unit, default=0.5, help="show instances from this score (default: %(default)s)")
    parser.add_argument("--shard", type=shard, default=(1, 1), metavar="I/N", help="do part I of N, into DIR/part-I-of-N")
    add_baseline(parser)
    add_model(parser)


def shard(text: str) -> tuple[int, int]:
    """I/N, from 1."""
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count) <= 1_000_000):
        raise argparse.ArgumentTypeError(f"{text} is not I/N with 1 <= I <= N")
    return int(number), int(count)


def run(arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

    from fcis_ros.cli.needing import needing
    from fcis_ros.cli.output import writable

    with needing("pip install rosbags"):
        from fcis_ros.bags.evaluation import Model, evaluate_bags, file_sha256
        from fcis_ros.bags.merging import part_path
        from fcis_ros.bags.offline import Shard
        from fcis_ros.bags.run_folder import AlreadyComplete
    from fcis_ros.model.checkpoint import default_checkpoint
    from fcis_ros.model.predictor import Predictor

    folder, part = Path(arguments.out), Shard(*arguments.shard)
    if part.count > 1:
        folder = part_path(folder, part.number, part.count)
    checkpoint = Path(arguments.checkpoint) if arguments.checkpoint else default_checkpoint()
    predictor = Predictor.from_checkpoint(checkpoint, arguments.device, arguments.threads, arguments.precision)
    model = Model(predictor, file_sha256(checkpoint))
    annotations = Path(arguments.annotations) if arguments.annotations else None
    try:
        with tqdm(unit="frame", mininterval=0.5) as bar, writable(folder):

            def progress(frames: int, total: int) -> None:
                bar.total = total
                bar.update(frames)

            bags = [Path(bag) for bag in arguments.bags]
            evaluate_bags(
                bags, arguments.topic, annotations, arguments.truth_topic, model, folder, arguments.score, part, progress
            )
    except AlreadyComplete:
        if part.count == 1:
            raise
        print(f"{folder}: complete already")
        return 0
    return report(folder, None, arguments.baseline, arguments.tolerance)
