"""Play a clip to a running node over ROS 2 in real time; write video, bags and a report.

INPUT is recorded as a rosbag2 (MCAP) and replayed to fcis_node, a process of its own; its masks and overlays are recorded to
another bag. DIR gets input_bag, output_bag, overlay.mp4, report.json and report.html. AP is measured over the frames that the
node answered, where annotations are given (by file name; frames of videos and bags are named 000000, 000001 ...) and always
for the synthetic clip, whose annotations.json is written too. Frames that the node did not get to are reported as dropped.
"""

import argparse
from pathlib import Path

from fcis_ros.cli.arguments import count, positive, unit
from fcis_ros.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "input", nargs="?", default="synthetic", metavar="INPUT",
        help="rosbag2 folder, video, image folder, image, camera index, or 'synthetic', a rendered clip (default)",
    )  # fmt: skip
    parser.add_argument("--annotations", metavar="JSON", help="COCO instance file of the input's frames, for AP")
    parser.add_argument("--rate", type=positive, help="frames per second (default: the input's; still images 5, synthetic 6)")
    parser.add_argument("--frames", type=count, help="use only the first so many frames (synthetic, camera: 150 unless given)")
    parser.add_argument("--out", default="out/demo", metavar="DIR", help="folder for the results (default: %(default)s)")
    parser.add_argument("--score", type=unit, default=0.5, help="draw instances from this score (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the synthetic clip (default: %(default)s)")
    parser.add_argument("--checkpoint", metavar="FILE", help="the model, a .safetensors file (default: the bundled one)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: %(default)s)")


def run(arguments: argparse.Namespace) -> None:
    from fcis_ros.cli.output import finished_folder
    from fcis_ros.data.frames import SYNTHETIC, is_bag, open_source
    from fcis_ros.evaluation.report import table
    from fcis_ros.evaluation.truth import Truth
    from fcis_ros.model.checkpoint import default_checkpoint, load
    from fcis_ros.model.hardware import choose_device

    model = Path(arguments.checkpoint) if arguments.checkpoint else default_checkpoint()
    names = load(model).config.class_names  # a damaged file is refused before anything is recorded
    device = choose_device(arguments.device)
    truth = Truth.load(Path(arguments.annotations), names) if arguments.annotations else None
    bag = Path(arguments.input)
    if not is_bag(bag):
        source = open_source(arguments.input, arguments.rate, arguments.frames, arguments.seed)
    try:
        from fcis_ros.bags.demo import run_demo
        from fcis_ros.bags.reading import open_bag
    except ImportError as error:
        raise InputError(f"ROS 2: {error}; source a ROS 2 and build the package, or use make") from None
    if is_bag(bag):
        source = open_bag(bag, arguments.rate, arguments.frames)
    with finished_folder(Path(arguments.out), proof="report.json") as folder:
        report = run_demo(
            source,
            folder,
            model=model.resolve(),
            class_names=names,
            device=str(device),
            truth=truth,
            rate=arguments.rate,
            score=arguments.score,
            seed=arguments.seed if arguments.input == SYNTHETIC else None,
        )
    print(table(report))
    print(f"-> {Path(arguments.out) / 'report.html'} (beside it report.json, overlay.mp4, input_bag, output_bag)")
