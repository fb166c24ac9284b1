# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Describe a checkpoint: configuration, provenance, and the versions, device and precision here."""

import argparse
import json
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", nargs="?", metavar="CHECKPOINT", help="a .safetensors file (default: the bundled one)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> None:
    import torch

    from fcis_ros.cli.output import printable
    from fcis_ros.model.checkpoint import default_checkpoint, read_metadata, read_version
    from fcis_ros.model.device import auto_device, auto_precision
    from fcis_ros.versions import versions

    path = Path(arguments.checkpoint) if arguments.checkpoint else default_checkpoint()
    config, provenance = read_metadata(path)
    device = auto_device()
    precision = auto_precision(torch.device(device.value))
    about = {
        "checkpoint": {"file": str(path), "bytes": path.stat().st_size, "format_version": read_version(path)},
        "config": {name: value for name, value in config.to_dict().items() if name not in config.without_effect},
        "provenance": provenance,
        "versions": versions(),
        "device": device.value,
        "precision": precision.value,
    }
    why = {"device": device.why, "precision": precision.why}
    if arguments.json:
        print(json.dumps({**about, "why": why}, indent=2))
        return
    for title, content in about.items():
        if isinstance(content, dict):
            print(f"{title}:")
            for key, value in content.items():
                print(printable(f"  {key:<24} {_text(value)}"))
        else:
            print(f"{title}: {content} ({why[title]})")


def _text(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(json.dumps(entry) if isinstance(entry, dict | list) else str(entry) for entry in value)
    return json.dumps(value) if isinstance(value, dict) else str(value)
