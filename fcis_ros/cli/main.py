# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The parser of ``python -m fcis_ros COMMAND`` (``fcis`` after installation)."""

import argparse
import errno
import functools
import os
import signal
import sys
from collections.abc import Sequence

from fcis_ros.cli import (
    check,
    convert,
    demo,
    evaluate,
    evaluate_bag,
    evaluate_merge,
    export,
    import_weights,
    info,
    predict,
    record,
    report,
    train,
)
from fcis_ros.cli.standard_output import flushed
from fcis_ros.errors import InputError, OperatorsError
from fcis_ros.omp import limit_spinning

COMMANDS = {
    "demo": demo,
    "predict": predict,
    "record": record,
    "report": report,
    "evaluate": evaluate,
    "evaluate-bag": evaluate_bag,
    "evaluate-merge": evaluate_merge,
    "train": train,
    "check": check,
    "convert": convert,
    "export": export,
    "import-weights": import_weights,
    "info": info,
}

# What OpenCV and FFmpeg print about a damaged image or video; commands name it in one line.
QUIET = {"OPENCV_LOG_LEVEL": "FATAL", "OPENCV_FFMPEG_LOGLEVEL": "-8"}


def parser() -> argparse.ArgumentParser:
    """Returns the parser of the whole command line."""
    top = argparse.ArgumentParser(
        prog="fcis", description="Instance masks from camera images with FCIS, on ROS 2 and off it.",
        epilog="Options of a command: fcis COMMAND --help. "
        "Exit status: 0 everything was used, 1 worse than the baseline, 2 something could not be used; the last line names it "
        "(docs/cli.md).",
    )  # fmt: skip
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, module in COMMANDS.items():
        first_line = (module.__doc__ or "").strip().splitlines()[0]
        command = commands.add_parser(
            name, help=first_line, description=module.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        module.add_arguments(command)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: arguments without the name of the program; None takes those of the process.

    Returns:
        The exit status, as docs/cli.md lists them.
    """
    return flushed(functools.partial(_run, arguments))


def _run(arguments: Sequence[str] | None) -> int:
    chosen = parser().parse_args(arguments)
    limit_spinning()  # commands import PyTorch and OpenCV when they run
    for name, level in QUIET.items():
        os.environ.setdefault(name, level)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds, so that no partial file and no process remains
    try:
        return COMMANDS[chosen.command].run(chosen) or 0
    except (InputError, OperatorsError) as error:
        print(f"fcis: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:  # which any use of a name from the command line can raise
            raise
        print(f"fcis: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("fcis: interrupted", file=sys.stderr)
        return 130
