# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Play a clip to a running node over ROS 2 in real time; write video, bags and a report.

INPUT is recorded as a rosbag2 (MCAP) and played to fcis_node in a separate process; its masks and overlays are recorded to
another bag. DIR gets input_bag, output_bag, overlay.mp4, report.json and report.html. AP is measured where annotations are
given (by file name; frames of videos and bags are named 000000, 000001 ...) and always for the synthetic clip, whose
annotations.json is written too. It is over all frames that were sent: a dropped frame counts as one without detections.
Messages of a bag that are damaged or contain no usable image are left out, counted and reported; the exit status is then 2.

Everything runs in a private ROS domain on localhost, whatever the environment says. If it fails, the node's log is kept as
DIR.node.log.
"""

import argparse
from pathlib import Path

from fcis_ros.cli.arguments import count, positive, refuse, unit
from fcis_ros.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "input", nargs="?", default="synthetic", metavar="INPUT",
        help="rosbag2 folder or file, video, image folder, image, camera (index, /dev/video2, URL of a stream, rtsp://...), "
        "or 'synthetic', a rendered clip (default)",
    )  # fmt: skip
    parser.add_argument("--annotations", metavar="JSON", help="COCO instance file of the input's frames, for AP")
    parser.add_argument("--topic", help="image topic, raw or compressed, of a bag with several")
    parser.add_argument("--rate", type=positive, help="frames per second (default: the input's; still images 5, synthetic 6)")
    parser.add_argument("--frames", type=count, help="maximum number of frames (default: all; synthetic, camera: 150)")
    parser.add_argument("--out", default="out/demo", metavar="DIR", help="folder for the results (default: %(default)s)")
    parser.add_argument("--score", type=unit, default=0.5, help="score threshold of drawn instances (default: %(default)s)")
    parser.add_argument("--domain", type=int, choices=range(102), metavar="ID", help="ROS_DOMAIN_ID (default: an unused one)")
    parser.add_argument("--seed", type=int, help="seed of the synthetic clip (default: 0)")
    what = "the model, a .safetensors file or a package of `fcis export` for the clip's size (default: the bundled one)"
    parser.add_argument("--checkpoint", metavar="FILE", help=what)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: %(default)s)")


def run(arguments: argparse.Namespace) -> int:
    from fcis_ros.cli.needing import needing
    from fcis_ros.cli.output import finished_folder
    from fcis_ros.cli.report import conclude
    from fcis_ros.data.frame_sources import SYNTHETIC, is_bag, without_secrets
    from fcis_ros.evaluation.image_ground_truth import ImageGroundTruth
    from fcis_ros.model.checkpoint import default_checkpoint
    from fcis_ros.model.device import choose_device
    from fcis_ros.model.exported import class_names_of

    if arguments.input != SYNTHETIC:
        refuse(arguments, "is for the synthetic clip", "seed")
    model = Path(arguments.checkpoint) if arguments.checkpoint else default_checkpoint()
    names = class_names_of(model)  # a damaged file is refused before anything is recorded
    device = choose_device(arguments.device)
    if arguments.annotations:
        ImageGroundTruth.load(Path(arguments.annotations), names)  # likewise
    if is_bag(Path(arguments.input)):
        with needing("pip install rosbags"):
            import rosbags  # noqa: F401
    elif arguments.topic:
        raise InputError(f"--topic {arguments.topic}: {without_secrets(arguments.input)} is not a bag")
    with needing("source a ROS 2 and build the package, or use make"):
        from fcis_ros.evaluation.demo_run import run_demo
        from fcis_ros.evaluation.spec import EvaluationSpec, Playback
        from fcis_ros.results.run_report import table
    spec = EvaluationSpec(
        recordings=(arguments.input,), topic=arguments.topic, annotations=arguments.annotations, ground_truth_topic=None,
        checkpoint=model, device=str(device), threads=None, precision="auto", score=arguments.score,
    )  # fmt: skip
    playback = Playback(arguments.rate, arguments.domain)
    # Only a demo has a video: folders of evaluations, which may have taken days, have a report, too.
    with finished_folder(Path(arguments.out), proof="overlay.mp4", log="node.log") as folder:
        report = run_demo(spec, playback, folder, arguments.frames, arguments.seed or 0)
    print(table(report))
    print(f"-> {Path(arguments.out) / 'report.html'} (and report.json, overlay.mp4, input_bag, output_bag)")
    return conclude(report)
