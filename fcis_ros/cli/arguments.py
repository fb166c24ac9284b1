# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Options of several commands, and types that argparse checks."""

import argparse

from fcis_ros.errors import InputError

TOLERANCE = 0.01  # of AP


def positive(text: str) -> float:
    """Converts text to a finite number above zero."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value


def count(text: str) -> int:
    """Converts text to a whole number of at least one."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return value


def unit(text: str) -> float:
    """Converts text to a number in 0..1."""
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} does not lie in 0..1")
    return value


def refuse(arguments: argparse.Namespace, why: str, *names: str) -> None:
    """Refuses options that would have no effect.

    Args:
        arguments: parsed arguments; options that were not given are None or False.
        why: reason, the text after the name of the option.
        names: names of the options, as attributes.

    Raises:
        InputError: one of the options was given.
    """
    for name in names:
        value = getattr(arguments, name)
        if value is not None and value is not False:
            raise InputError(f"--{name.replace('_', '-')} {why}")


def add_model(parser: argparse.ArgumentParser) -> None:
    """Adds ``--checkpoint``, ``--device``, ``--threads`` and ``--precision``."""
    what = "model, a .safetensors file or an exported .pt2 package (default: the bundled checkpoint)"
    parser.add_argument("--checkpoint", metavar="FILE", help=what)
    parser.add_argument("--device", default="auto", help="device: auto, cpu, cuda or cuda:N (default: %(default)s)")
    parser.add_argument("--threads", type=count, help="number of CPU threads of the network (default: PyTorch's choice)")
    parser.add_argument(
        "--precision",
        choices=["auto", "fp32", "tf32", "bf16", "fp16"],
        default="auto",
        help="precision of the convolutions; auto depends on the hardware, see `fcis info` (default: %(default)s)",
    )


def add_baseline(parser: argparse.ArgumentParser) -> None:
    """Adds ``--baseline`` and ``--tolerance``."""
    parser.add_argument("--baseline", metavar="JSON", help="report.json in the folder of an earlier evaluation")
    text = f"with --baseline: differences of AP up to this value are ignored (default: {TOLERANCE})"
    parser.add_argument("--tolerance", type=unit, help=text)


def check_baseline(arguments: argparse.Namespace) -> None:
    """Refuses ``--tolerance`` without ``--baseline``."""
    if not arguments.baseline:
        refuse(arguments, "needs --baseline", "tolerance")
