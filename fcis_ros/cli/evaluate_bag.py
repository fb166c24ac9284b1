# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Evaluate a model on every frame of recordings (rosbag2): accuracy, raw detections, a report.

BAG is a rosbag2 folder or a bare .mcap or .db3 file, compressed or not, or the URL of one (s3://bucket/drive/): where fsspec
and its driver are installed, it is fetched to a temporary folder. DIR gets report.json, the raw detections with scores of 0.02
or more as COCO results (detections.json; annotations.json holds the ground truth with the same ids), frames.jsonl with the
matches of each frame, and timing.json. All but the last are the same, byte for byte, every time.

Annotations are a COCO instance file. Its images match frames by a field stamp_ns (the header's stamp in nanoseconds) where they
have it; else by file name, if the recording has /frame_names; else by their order. A ground-truth topic, such as `fcis record`
writes, matches by the headers' stamps. Without ground truth nothing is measured, but detections are kept.

With --live the recording is played to a node process over ROS 2, in real time: the report has drops, latency, and AP over all
frames and over the answered ones, as in `fcis demo`.

An interrupted offline evaluation leaves a report of the frames so far. Run the same command again to resume; what is complete
is reported again, not computed. With --shard, processes on any number of machines share the work:
    seq 7 | xargs -P 2 -I{} fcis evaluate-bag drive/ --annotations drive.json --out drive.eval --shard {}/7
    fcis evaluate-merge drive.eval
With --engine the workers of a Ray cluster compute all shards, which are merged into DIR/merged; run the same command again to
resume. All machines need this package and the same folders: DIR, the recordings, the current folder.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from fcis_ros.cli.arguments import add_baseline, add_model, check_baseline, count, positive, refuse, unit
from fcis_ros.cli.report import conclude, print_report, report
from fcis_ros.errors import InputError
from fcis_ros.findings import shortened

if TYPE_CHECKING:
    from fcis_ros.evaluation.spec import EvaluationSpec


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bags", nargs="+", metavar="BAG", help="recordings; their frames are evaluated together")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the results, created")
    truth = parser.add_mutually_exclusive_group()
    truth.add_argument("--annotations", metavar="JSON", help="COCO instance file of the frames, for AP, or its URL")
    truth.add_argument("--truth-topic", metavar="TOPIC", help="topic of fcis_ros/InstanceMaskArray messages with ground truth")
    parser.add_argument("--topic", help="image topic, raw or compressed, of a recording with several")
    parser.add_argument("--score", type=unit, default=0.5, help="score threshold of shown instances (default: %(default)s)")
    add_baseline(parser)
    add_model(parser)
    live = parser.add_argument_group("live evaluation")
    live.add_argument("--live", action="store_true", help="play BAG to a node in real time: also drops and latency")
    live.add_argument("--rate", type=positive, help="frames per second (default: the recording's timing)")
    live.add_argument(
        "--domain", type=int, choices=range(102), metavar="ID", help="ROS_DOMAIN_ID for --live (default: an unused one)"
    )
    shards = parser.add_argument_group("offline evaluation in shards")
    shards.add_argument("--shard", type=shard, metavar="I/N", help="compute shard I of N, into DIR/part-I-of-N")
    shards.add_argument(
        "--engine", type=engine, metavar="ray[://HOST:PORT]",
        help="compute all shards on a Ray cluster: that of RAY_ADDRESS or of this machine, else a new one; or one elsewhere",
    )  # fmt: skip
    shards.add_argument("--parts", type=count, metavar="N", help="number of shards for --engine (default: 4 per slot)")


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
        return run_fleet(arguments)
    return run_offline(arguments)


def evaluation_spec(arguments: argparse.Namespace) -> "EvaluationSpec":
    """Returns what the options say, undivided."""
    from fcis_ros.evaluation.spec import EvaluationSpec
    from fcis_ros.model.checkpoint import default_checkpoint

    return EvaluationSpec(
        recordings=tuple(arguments.bags),
        topic=arguments.topic,
        annotations=arguments.annotations,
        ground_truth_topic=arguments.truth_topic,
        checkpoint=Path(arguments.checkpoint) if arguments.checkpoint else default_checkpoint(),
        device=arguments.device,
        threads=arguments.threads,
        precision=arguments.precision,
        score=arguments.score,
    )


def run_live(arguments: argparse.Namespace) -> int:
    from dataclasses import replace

    from fcis_ros.cli.needing import needing
    from fcis_ros.cli.output import finished_folder
    from fcis_ros.model.device import choose_device
    from fcis_ros.model.exported import class_names_of

    refuse(arguments, "has no effect with --live, which takes one recording, whole", "shard", "engine")
    if len(arguments.bags) > 1:
        raise InputError("--live takes one recording, whole")
    with needing("source a ROS 2 and build the package, or use make"):
        from fcis_ros.bags.remote import is_url
        from fcis_ros.evaluation.live import evaluate_recording_live
        from fcis_ros.evaluation.spec import Playback
    folder = Path(arguments.out)
    if is_url(arguments.bags[0]):
        raise InputError(f"{arguments.bags[0]}: --live takes a path; a URL is for offline evaluation")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: exists already; choose another folder")
    spec = evaluation_spec(arguments)
    class_names_of(spec.checkpoint)  # a damaged file is refused before anything is recorded
    spec = replace(spec, device=str(choose_device(spec.device)))
    with finished_folder(folder, proof="run.json", log="node.log") as partial:
        evaluate_recording_live(spec, Playback(arguments.rate, arguments.domain), partial)
    return conclude(report(folder, None, arguments.baseline, arguments.tolerance))


def run_offline(arguments: argparse.Namespace) -> int:
    from dataclasses import replace

    from fcis_ros.cli.needing import needing
    from fcis_ros.files import writable

    with needing("pip install rosbags"):
        from fcis_ros.evaluation.offline import evaluate_recordings
        from fcis_ros.evaluation.spec import Shard
        from fcis_ros.results.merge import shard_path
        from fcis_ros.results.run_reader import RUN
        from fcis_ros.results.run_writer import AlreadyComplete

    folder, shard = Path(arguments.out), Shard(*(arguments.shard or (1, 1)))
    if shard.count > 1:
        if (folder / RUN).is_file():
            raise InputError(f"{folder}: holds an evaluation without shards; choose another folder")
        folder = shard_path(folder, shard.number, shard.count)
    with writable(folder):
        try:
            written = evaluate_recordings(replace(evaluation_spec(arguments), shard=shard), folder)
        except AlreadyComplete:
            print(f"{folder}: complete already")
            return conclude(report(folder, None, arguments.baseline, arguments.tolerance))
        if arguments.baseline:
            written = report(folder, None, arguments.baseline, arguments.tolerance)
        else:
            print_report(written, folder)
    return conclude(written)


def run_fleet(arguments: argparse.Namespace) -> int:
    from fcis_ros.cli.evaluate_merge import write_merged
    from fcis_ros.cli.needing import needing
    from fcis_ros.results.merge import find_shards

    refuse(arguments, "computes one shard, --engine all of them", "shard")
    with needing("pip install 'ray[client]'"):
        from fcis_ros.evaluation.ray_executor import evaluate_shards
    folder = Path(arguments.out)
    total, problems = evaluate_shards(evaluation_spec(arguments), folder, arguments.engine, arguments.parts)
    if problems:
        print(*shortened(problems), sep="\n")
        raise InputError(f"{folder}: {len(problems)} of {total} shards not done; run the same command again to resume")
    shards, spec = find_shards([folder])
    return write_merged(shards, spec, folder / "merged", arguments.baseline, arguments.tolerance)
