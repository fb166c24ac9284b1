# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Checks of the arguments of the launch files, before a process starts. Imports neither launch nor PyTorch.

What only the nodes can check is listed in docs/node.md.
"""

import json
import re
import struct
import xml.etree.ElementTree as ElementTree
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn
from urllib.parse import urlsplit

from rclpy.expand_topic_name import expand_topic_name
from rclpy.validate_full_topic_name import validate_full_topic_name
from rclpy.validate_namespace import validate_namespace

from fcis_ros.errors import InputError
from fcis_ros.ros import calibration, params, params_file

SCHEMES = ("rtsp", "rtsps", "rtmp", "rtmps", "http", "https", "udp", "tcp", "srt", "rtp", "mms", "mmsh")  # of FFmpeg
WITH_HOST = SCHEMES[:6]
MAX_HEADER = 4 << 20  # bytes of a checkpoint's description


def refuse(name: str, text: str, wrong: str) -> NoReturn:
    """Raises the error about an argument."""
    raise InputError(f"argument {name}: {text!r} {wrong}")


def number(name: str, text: str, low: float, high: float) -> float:
    """Returns the number in an argument."""
    try:
        value = float(text)
    except ValueError:
        refuse(name, text, "is not a number")
    if not low <= value <= high:
        refuse(name, text, f"is not within {low:g} to {high:g}")
    return value


def file(name: str, path: str) -> None:
    """Checks that a file exists and can be read."""
    if not Path(path).exists():
        refuse(name, path, "does not exist")
    if not Path(path).is_file():
        refuse(name, path, "is not a file")
    try:
        Path(path).open("rb").close()
    except OSError as error:
        refuse(name, path, f"cannot be read ({error.strerror})")


def full_namespace(text: str) -> str:
    """Returns the full name of a namespace."""
    namespace = "/" + text.lstrip("/")
    try:
        validate_namespace(namespace)
    except Exception as error:  # noqa: BLE001 (rclpy has one exception per kind of name)
        refuse("namespace", text, f"is not a namespace: {_reason(error)}")
    return namespace


def topic(name: str, text: str, namespace: str) -> str:
    """Returns the full name of a topic, by the rules of ROS.

    Args:
        name: argument.
        text: topic, which has to mean the same in all nodes.
        namespace: full name of the namespace.
    """
    if text.startswith("~") or "{" in text:
        refuse(name, text, "means another topic in every node: give it without ~ and {}")
    try:
        full = expand_topic_name(text, "any", namespace)
        validate_full_topic_name(full)
    except Exception as error:  # noqa: BLE001 (rclpy has one exception per kind of name)
        refuse(name, text, f"is not the name of a topic: {_reason(error)}")
    return full


def _reason(error: Exception) -> str:
    """Returns the rule in rclpy's error about a name."""
    return re.sub(r", at \S+:\d+$", "", str(error).splitlines()[0].rstrip(":")).rpartition(": ")[2]


def cameras(names: Sequence[str], source: str, image_topic: str, namespace: str) -> None:
    """Checks the names of cameras, and that one of them reads what the source publishes.

    Args:
        names: names of the cameras.
        source: source of images, or ``none``.
        image_topic: topic of the source's images.
        namespace: full name of the namespace.
    """
    try:
        given = params.cameras(list(names))
    except InputError as error:
        raise InputError(str(error).replace("parameter", "argument", 1)) from None
    read = [topic("cameras", f"{name}/image", namespace) for name in given if name]
    if read and source != "none" and topic("image_topic", image_topic, namespace) not in read:
        wrong = f"do not read {image_topic!r}, where the source publishes: give image_topic:={given[0]}/image or source:=none"
        refuse("cameras", ",".join(given), wrong)


def source(name: str, text: str, topic_in_it: str, open_recording: Callable[[str, str | None], Any] | None) -> None:
    """Checks that a source is of a known kind and, if it is a file or a folder, that it can be opened.

    Args:
        name: argument.
        text: ``none``, ``synthetic``, index, device, URL or path.
        topic_in_it: topic of the images in a recording; empty for the only one.
        open_recording: function that opens a recording (path, topic); None if the library for it is not installed.
    """
    if text == "none" and not topic_in_it:
        return
    from fcis_ros.data.frame_sources import is_bag, is_live, is_missing_device, is_stream, open_source, without_secrets

    shown = without_secrets(text)
    if topic_in_it and not is_bag(Path(text)):
        refuse("topic", topic_in_it, f"is for recordings: {shown} is none")
    if text in ("none", "synthetic"):
        return
    if text.lower().startswith("file://"):
        refuse(name, text, "is a file: give its path, without file://")
    if is_stream(text):
        url = urlsplit(text)
        if url.scheme.lower() not in SCHEMES:
            refuse(name, shown, f"is a URL of none of {', '.join(SCHEMES)}")
        if url.scheme.lower() in WITH_HOST and not url.hostname:
            refuse(name, shown, "names no host")
    elif is_missing_device(text) or not (is_live(text) or Path(text).exists()) or not text:
        refuse(name, text, "does not exist")
    elif not is_live(text):
        try:
            if not is_bag(Path(text)):
                open_source(text)
            elif open_recording is None:
                raise InputError(f"{text}: recordings need rosbags (pip install rosbags)")
            else:
                open_recording(text, topic_in_it or None)
        except InputError as error:
            raise InputError(f"argument {name}: {error}") from None


def recording(name: str, text: str) -> None:
    """Checks that a path is that of a recording."""
    from fcis_ros.data.frame_sources import is_bag

    if not Path(text).exists():
        refuse(name, text, "does not exist")
    if not is_bag(Path(text)):
        refuse(name, text, "is not a recording (rosbag2): camera.launch.py source:=... plays videos and folders of images")


def model(path: str) -> None:
    """Checks that a file is a checkpoint or an exported package, by its first bytes."""
    file("model", path)
    if Path(path).suffix == ".pt2":
        if not zipfile.is_zipfile(path):
            refuse("model", path, "is not a package of fcis export")
        return
    try:
        with Path(path).open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            about = json.loads(stream.read(min(length, MAX_HEADER)))["__metadata__"]
    except (struct.error, ValueError, KeyError, TypeError, RecursionError):
        about = None
    if not isinstance(about, dict) or not {"format_version", "config"} <= about.keys():
        refuse("model", path, "is not a checkpoint (.safetensors) of fcis_ros")


def device(text: str) -> None:
    """Checks the name of a device; whether it is there, only PyTorch knows."""
    if not re.fullmatch(r"|auto|cpu|cuda(:[0-9]+)?", text):
        refuse("device", text, "is not auto, cpu, cuda or cuda:N")


def fastdds_profile(path: str) -> None:
    """Checks that a file has profiles of Fast DDS."""
    file("fastdds_profile", path)
    try:
        root = ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        refuse("fastdds_profile", path, f"is not XML: {error}")
    profiles = [element for element in root.iter() if element.tag.rpartition("}")[2] == "profiles"]
    if not any(len(element) for element in profiles):
        refuse("fastdds_profile", path, "has no <profiles>")


def camera_info_url(url: str) -> None:
    """Checks that a calibration can be read."""
    try:
        calibration.fill(SimpleNamespace(), url, "camera_source")
    except InputError as error:
        raise InputError(f"argument {error}") from None


def parameters(path: str, node: str) -> dict[str, Any]:
    """Returns {parameter: value} of a file that is for the node, after a check of their types and ranges.

    Args:
        path: YAML file.
        node: full name of the node.
    """
    file("params_file", path)
    rows = {row.name: row for row in params.PARAMETERS}
    try:
        given = params_file.parameters_for(path, node)
    except InputError as error:
        raise InputError(f"argument params_file: {error}") from None
    for name, value in given.items():
        if name in rows and (wrong := _wrong(rows[name], value)):
            raise InputError(f"argument params_file: {path}: {name}: {value!r} is not {wrong}")
    return given


def _wrong(row: params.Parameter, value: Any) -> str:
    """Returns what a value in a parameter file should be and is not; empty if it may be right."""
    kind = type(row.default)
    if kind is list:
        right = isinstance(value, list) and all(isinstance(entry, str) for entry in value)
        return "" if right else "a list of names"
    if type(value) is not kind:
        # YAML has more ways to write a number than one: what looks like text may be one for rcl.
        return "" if isinstance(value, str) and kind in (int, float) else f"of type {kind.__name__}"
    return params.violated(row, value)
