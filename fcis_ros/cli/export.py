# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Compile a model into one package: from an image's bytes to run lengths, for C++ without Python.

The package is made for images of one size and encoding, one device, one precision, and the PyTorch and operators that are
here. `fcis predict`, `fcis evaluate` and the node's `model` take it like a checkpoint if it takes rgb8 images;
examples/exported shows it in C++. Compiling takes minutes and needs a C++ compiler.
"""

import argparse
import re
from pathlib import Path

from fcis_ros.errors import InputError


def size(text: str) -> tuple[int, int]:
    """``WxH`` -> width, height."""
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    width, height = (int(match[1]), int(match[2])) if match else (0, 0)
    if not all(2 <= side <= 1 << 15 for side in (width, height)):
        raise argparse.ArgumentTypeError(f"{text} is not WIDTHxHEIGHT with sides of 2 to 32768 pixels")
    return width, height


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="the model, a .safetensors file")
    parser.add_argument("out", metavar="OUT.pt2", help="file to write, replaced if it exists")
    parser.add_argument("--size", type=size, required=True, metavar="WxH", help="size of the images")
    parser.add_argument("--encoding", default="rgb8", help="encoding of the images, 8 bits, as in ROS (default: %(default)s)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: %(default)s)")
    parser.add_argument(
        "--precision",
        choices=["auto", "fp32", "tf32", "bf16", "fp16"],
        default="auto",
        help="precision of the convolutions (default: %(default)s)",
    )


def run(arguments: argparse.Namespace) -> None:
    from fcis_ros.model.exported import ENDING, FrameLayout, export
    from fcis_ros.model.predictor import Predictor

    out = Path(arguments.out)
    if out.suffix != ENDING:
        raise InputError(f"{out}: the name has to end with {ENDING}")
    if not out.absolute().parent.is_dir():
        raise InputError(f"{out}: there is no folder {out.absolute().parent}")
    width, height = arguments.size
    predictor = Predictor.from_checkpoint(arguments.checkpoint, arguments.device, precision=arguments.precision)
    export(predictor, FrameLayout(height, width, arguments.encoding), out)
    print(f"{predictor.name}, {width}x{height} {arguments.encoding}, {predictor.device}, {predictor.precision} -> {out}")
