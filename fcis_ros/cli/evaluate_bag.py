# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Evaluate a model on every frame of recordings (rosbag2): accuracy, raw detections, a report.

BAG is a rosbag2 folder or a bare .mcap or .db3 file, compressed or not, or the URL of one (s3://bucket/drive/): where fsspec
and its driver are installed, it is fetched to a temporary folder. DIR gets report.json, the raw detections from a score of
0.02 as COCO results (detections.json; annotations.json beside it holds the truth in the same ids), frames.jsonl with what was
right and wrong in each frame, and timing.json. All but the last is the same, byte for byte, every time.

Annotations are a COCO instance file. Its images match frames by a field stamp_ns (the header's stamp in nanoseconds) where they
have it; else by file name, if the recording has /frame_names; else by their order. A truth topic, such as `fcis record` writes,
matches by the headers' stamps. Without truth nothing is measured, but detections are kept.

With --live the recording is played to a node process over ROS 2, in real time: the report has drops, latency, and AP over all
frames and over the answered ones, as in `fcis demo`.

An interrupted offline evaluation leaves a report of what it did, and goes on where it stopped when it is started again. With
--shard, processes on any number of machines share the work; a part that is complete already is not done again:
    seq 7 | xargs -P 2 -I{} fcis evaluate-bag drive/ --annotations drive.json --out drive.eval --shard {}/7
    fcis evaluate-merge drive.eval
With --engine the workers of a Ray cluster do all parts, and the whole lies in DIR/merged at the end; what was interrupted goes
on, as above. All machines need this package and have the folders in common: DIR, that of the recordings, the current one.
"""

import argparse
from pathlib import Path

from fcis_ros.cli.arguments import add_model, count, positive, refuse, unit
from fcis_ros.cli.report import add_baseline, check_baseline, report
from fcis_ros.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bags", nargs="+", metavar="BAG", help="recordings; their frames are evaluated together")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the results, created")
    truth = parser.add_mutually_exclusive_group()
    truth.add_argument("--annotations", metavar="JSON", help="COCO instance file of the frames, for AP, or its URL")
    truth.add_argument("--truth-topic", metavar="TOPIC", help="of fcis_ros/InstanceMaskArray messages that hold the truth")
    parser.add_argument("--topic", help="of the images, raw or compressed, where a recording has several such topics")
    parser.add_argument("--score", type=unit, default=0.5, help="show instances from this score (default: %(default)s)")
    parser.add_argument("--live", action="store_true", help="play BAG to a node in real time: also drops and latency")
    parser.add_argument("--rate", type=positive, help="with --live: frames per second (default: the recording's own time)")
    parser.add_argument(
        "--domain", type=int, choices=range(102), metavar="ID", help="with --live: ROS domain to use (default: one apart)"
    )
    parser.add_argument("--shard", type=shard, metavar="I/N", help="do part I of N, into DIR/part-I-of-N")
    parser.add_argument(
        "--engine", type=engine, metavar="ray[://HOST:PORT]",
        help="do all parts on a Ray cluster: that of RAY_ADDRESS or of this machine, else its own cores; or one elsewhere",
    )  # fmt: skip
    parser.add_argument("--parts", type=count, metavar="N", help="with --engine: number of parts (default: 4 for each at once)")
    add_baseline(parser)
    add_model(parser)


def shard(text: str) -> tuple[int, int]:
    """I/N, from 1."""
    number, _, total = text.partition("/")
    if not (number.isdecimal() and total.isdecimal() and 1 <= int(number) <= int(total) <= 1_000_000):
        raise argparse.ArgumentTypeError(f"{text} is not I/N with 1 <= I <= N")
    return int(number), int(total)


def engine(text: str) -> str:
    """``ray`` or ``ray://HOST:PORT``."""
    if text != "ray" and not text.startswith("ray://"):
        raise argparse.ArgumentTypeError(f"{text} is neither ray nor ray://HOST:PORT")
    return text


def run(arguments: argparse.Namespace) -> int:
    check_baseline(arguments)
    if not arguments.engine:
        refuse(arguments, "needs --engine", "parts")
    if arguments.live:
        return run_live(arguments)
    refuse(arguments, "needs --live", "rate", "domain")
    if arguments.engine:
        from fcis_ros.cli.fleet import run_fleet

        return run_fleet(arguments)
    return run_offline(arguments)


def run_live(arguments: argparse.Namespace) -> int:
    from fcis_ros.cli.needing import needing
    from fcis_ros.cli.output import finished_folder
    from fcis_ros.files import file_digest
    from fcis_ros.model.checkpoint import default_checkpoint
    from fcis_ros.model.device import choose_device
    from fcis_ros.model.exported import class_names_of

    refuse(arguments, "has no effect with --live, which takes one recording, whole", "shard", "engine")
    if len(arguments.bags) > 1:
        raise InputError("--live takes one recording, whole")
    with needing("source a ROS 2 and build the package, or use make"):
        from fcis_ros.bags.remote import is_url
        from fcis_ros.evaluation.bags import open_truth
        from fcis_ros.evaluation.live import NodeSettings, evaluate_bag_live
    folder = Path(arguments.out)
    if is_url(arguments.bags[0]):
        raise InputError(f"{arguments.bags[0]}: --live takes a path; a URL is for offline evaluation")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: exists already; choose another folder")
    checkpoint = Path(arguments.checkpoint) if arguments.checkpoint else default_checkpoint()
    names = class_names_of(checkpoint)
    device = str(choose_device(arguments.device))
    settings = NodeSettings(
        checkpoint.resolve(), names, device, arguments.rate, arguments.score, arguments.domain, arguments.precision,
        arguments.threads or 0,
    )  # fmt: skip

    def truth_of(recording):
        opened = open_truth([recording], arguments.annotations, arguments.truth_topic, names)
        return opened and (opened[0][0], opened[1])

    model = {"name": checkpoint.stem, "sha256": file_digest(checkpoint)}
    with finished_folder(folder, proof="run.json", log="node.log") as made:
        evaluate_bag_live(Path(arguments.bags[0]), arguments.topic, truth_of, made, settings, model)
    return report(folder, None, arguments.baseline, arguments.tolerance)


def run_offline(arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

    from fcis_ros.cli.needing import needing
    from fcis_ros.cli.output import writable

    with needing("pip install rosbags"):
        from fcis_ros.cli.part import evaluate_part
        from fcis_ros.evaluation.offline import Shard
        from fcis_ros.results.merge import part_path
        from fcis_ros.results.store import AlreadyComplete

    folder, part = Path(arguments.out), Shard(*(arguments.shard or (1, 1)))
    if part.count > 1:
        folder = part_path(folder, part.number, part.count)
    try:
        with tqdm(unit="frame", mininterval=0.5) as bar, writable(folder):

            def progress(frames: int, total: int) -> None:
                bar.total = total
                bar.update(frames)

            evaluate_part(arguments, folder, part, progress)
    except AlreadyComplete:
        if part.count == 1:
            raise
        print(f"{folder}: complete already")
        if not arguments.baseline:
            return 0
    return report(folder, None, arguments.baseline, arguments.tolerance)
