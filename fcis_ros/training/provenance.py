# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Provenance of a checkpoint: recorded by the trainer, nothing of it entered by hand."""

import hashlib
import json
import os
import platform
import re
import subprocess
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch

from fcis_ros.config import json_object
from fcis_ros.errors import InputError
from fcis_ros.files import sha256
from fcis_ros.findings import to_json
from fcis_ros.model.checkpoint import open_tensors, read_metadata
from fcis_ros.training.data_check import CheckedImages
from fcis_ros.training.pretrained import Pretrained
from fcis_ros.training.train_config import TrainConfig
from fcis_ros.versions import versions

PROJECT = Path(__file__).resolve().parents[2]
MAX_INHERITED = 1 << 20  # bytes of JSON; a run with fifty starts has 50 kB


def describe_data(checked: CheckedImages) -> dict[str, Any]:
    """Returns name and digest of an annotation file, and number and digests of what is used of it: images and objects.

    The digests of images and objects cover names and contents in the order of the names: the same data listed in another order,
    or beside other data that is left out, has the same digests. ``excluded`` has the names of the images that are left out.
    """
    images = checked.images
    names = sorted(checked.digests)
    contents = "".join(f"{name}\0{checked.digests[name]}\n" for name in names)
    objects = hashlib.sha256()
    for index in sorted(range(len(images)), key=images.file_names.__getitem__):
        objects.update(json.dumps([images.file_names[index], images.objects(index)], sort_keys=True).encode())
    return {
        "annotations": images.path.name,
        "annotations_sha256": sha256(images.path),
        "images": len(names),
        "images_sha256": hashlib.sha256(contents.encode()).hexdigest(),
        "objects_sha256": objects.hexdigest(),
        "excluded": list(checked.excluded),
        "findings": to_json(checked.findings),
    }


def describe_init(source: Path | Pretrained) -> list[dict[str, Any]]:
    """Returns the chain of initial weights: the file that a run starts from, the file which that was trained from, and so on.

    Each link has ``file`` (its name), ``sha256`` and ``provenance`` as recorded in the file; None if it has none. That of a
    package's weights is the package and its version.

    Raises:
        InputError: the file cannot be read, or its provenance is too long or too deeply nested to be copied.
    """
    if isinstance(source, Pretrained):
        about: dict[str, Any] = {"package": source.package, "version": source.version, "backbone": source.backbone}
        return [{"file": source.path.name, "sha256": sha256(source.path), "provenance": about}]
    path = source
    with open_tensors(path) as file:
        about = file.metadata() or {}
    recorded = dict(read_metadata(path)[1]) if "format_version" in about else {k: v for k, v in about.items() if k != "format"}
    earlier = recorded.pop("init", None) or []
    chain = [{"file": path.name, "sha256": sha256(path), "provenance": recorded or None}]
    chain += earlier if isinstance(earlier, list) else [earlier]
    text = json.dumps({"provenance": {"init": chain}})
    if len(text) > MAX_INHERITED:
        raise InputError(f"{path}: its provenance has {len(text)} bytes, at most {MAX_INHERITED} can be copied")
    return json_object(text, f"{path}: provenance")["provenance"]["init"]


def describe_start(device: torch.device, precision: str, step: int, processes: int) -> dict[str, Any]:
    """Returns time, software and hardware of a start or a resumption after ``step`` steps, in the first of ``processes``."""
    hardware = {"cpu": _cpu_model(), "cores": len(os.sched_getaffinity(0)), "threads": torch.get_num_threads()}
    if device.type == "cuda":
        hardware["gpu"] = torch.cuda.get_device_name(device)
    return {
        "step": step,
        "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "commit": commit(),
        "versions": versions(),
        "processes": processes,
        "device": str(device),
        "hardware": hardware,
        "precision": precision,
    }


def commit(project: Path = PROJECT) -> str | None:
    """Returns the commit of the sources, with ``-dirty`` appended if files differ from it; None outside a git repository."""
    if not (project / ".git").exists():  # an installed copy must not name the repository that it happens to lie in
        return None
    command = ["git", "-C", str(project), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def identity(config: TrainConfig, data: dict[str, Any] | None, init: list[dict[str, Any]] | None) -> dict[str, Any]:
    """Returns everything that two starts of one run must share: everything but the number of steps."""
    settings = {name: value for name, value in config.to_dict().items() if name != "steps"}
    return json.loads(json.dumps({"train_config": settings, "data": data, "init": init}))


def changes(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Returns the differences between two identities in what a run uses, as ``differences`` does.

    A file of annotations that was repaired, or written anew, describes the same run if the images that are used, and their
    objects, are the same. Of the chain of initial weights the first link is compared, whose digest covers the others.
    """
    old, new = ({**part, "data": _used(part.get("data")), "init": _first_link(part.get("init"))} for part in (before, now))
    return differences(old, new)


def _used(data: Any) -> Any:
    described = ("annotations", "annotations_sha256", "excluded", "findings")
    return {key: value for key, value in data.items() if key not in described} if isinstance(data, dict) else data


def _first_link(init: Any) -> Any:
    if not isinstance(init, list) or not init or not isinstance(init[0], dict):
        return init
    link = dict(init[0])
    about = link.pop("provenance", None)
    return {**link, **about} if isinstance(about, dict) and "package" in about else link


def differences(before: Any, now: Any, name: str = "") -> list[str]:
    """Returns the differences between two values of JSON types, each as "name was A, is B"."""
    if isinstance(before, dict) and isinstance(now, dict):
        keys = [*before, *(key for key in now if key not in before)]
        return [text for key in keys for text in differences(before.get(key), now.get(key), f"{name}.{key}" if name else key)]
    return [] if before == now else [f"{name} was {_short(before)}, is {_short(now)}"]


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:20] + "..."


def _cpu_model() -> str:
    try:
        name = re.search(r"^model name\s*:(.*)", Path("/proc/cpuinfo").read_text(errors="replace"), re.MULTILINE)
    except OSError:
        name = None
    return name[1].strip() if name else platform.machine()
