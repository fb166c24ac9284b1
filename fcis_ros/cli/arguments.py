# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Options that several commands share, and values that argparse should refuse by itself."""

import argparse

from fcis_ros.errors import InputError


def positive(text: str) -> float:
    """A finite number above zero."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value


def count(text: str) -> int:
    """A whole number of at least one."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return value


def unit(text: str) -> float:
    """A number in 0..1."""
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} does not lie in 0..1")
    return value


def refuse(arguments: argparse.Namespace, why: str, *names: str) -> None:
    """Refuses options that would have no effect.

    Args:
        arguments: of the command; an option that was not given is None or False.
        why: the end of the sentence that begins with the option.
        names: of the options, as attributes.

    Raises:
        InputError: one of them was given.
    """
    for name in names:
        value = getattr(arguments, name)
        if value is not None and value is not False:
            raise InputError(f"--{name.replace('_', '-')} {why}")


def add_model(parser: argparse.ArgumentParser) -> None:
    """``--checkpoint``, ``--device``, ``--threads`` and ``--precision``."""
    what = "the model, a .safetensors file or what `fcis export` made (default: the bundled one)"
    parser.add_argument("--checkpoint", metavar="FILE", help=what)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: %(default)s)")
    parser.add_argument("--threads", type=count, help="CPU threads of the network (default: PyTorch's choice)")
    parser.add_argument(
        "--precision",
        choices=["auto", "fp32", "tf32", "bf16", "fp16"],
        default="auto",
        help="of the convolutions; auto follows from the hardware, `fcis info` says why (default: %(default)s)",
    )
