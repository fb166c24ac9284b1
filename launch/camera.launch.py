# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""A camera and the node that finds instance masks in its images: ``ros2 launch fcis_ros camera.launch.py --show-args``.

Everything is checked before the first process starts. When the camera or the node ends, the launch takes the others down and
ends with its status.
"""

import atexit
import difflib
import os
import re
import sys
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_prefix, get_package_share_directory
from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction, SetEnvironmentVariable, Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from fcis_ros.dds_profile import profile_variable
from fcis_ros.ros import params
from launch import LaunchDescription

BOOLEAN = ("true", "false")
# (name, default, description, choices) of what is not a parameter of the node.
OWN = (
    ("source", "0", "Camera (index, /dev/video2, rtsp://...), recording, video, folder, image, 'synthetic', or 'none'.", ()),
    ("rate", "0.0", "Frames per second of the source; 0.0 for its own.", ()),
    ("topic", "", "Of the images in a recording that has several such topics.", ()),
    ("loop", "true", "Start the source again at its end.", BOOLEAN),
    ("frame_id", "camera_optical_frame", "Optical frame in the source's headers (REP-103).", ()),
    ("camera_info_url", "", "Calibration of the source's camera, a YAML file; empty for an uncalibrated one.", ()),
    ("image_topic", "image_raw", "Topic of the images, published by the source and read by the node.", ()),
    ("namespace", "", "Namespace of all nodes.", ()),
    ("params_file", "", "Parameters of the node, a YAML file; arguments that are given win.", ()),
    ("use_sim_time", "false", "Take the time from /clock, for bags.", BOOLEAN),
    ("rviz", "false", "Show camera, overlay and labels in RViz.", BOOLEAN),
    ("log_level", "info", "Verbosity of all nodes.", ("debug", "info", "warn", "error", "fatal")),
    ("fastdds_profile", "", "Fast DDS profile; empty for the one in the environment, or else ours for large images.", ()),
)  # fmt: skip
NODE_PARAMETERS = tuple(row for row in params.PARAMETERS if row.launch)


def refuse(name: str, text: str, wrong: str) -> None:
    raise RuntimeError(f"argument {name}: {text!r} {wrong}")


def existing(name: str, text: str) -> str:
    if not Path(text.removeprefix("file://")).exists():
        refuse(name, text, "is not there")
    return text


def ended(name: str):
    """What to do when a process ends: launch itself would go on without it, and end with 0 at last."""

    def handle(event, context) -> Shutdown:
        status = event.returncode if event.returncode >= 0 else 128 - event.returncode
        if status and not context.is_shutdown:
            # The launch service has no other way to end with a status of ours.
            atexit.register(lambda: (sys.stdout.flush(), sys.stderr.flush(), os._exit(status)))
        return Shutdown(reason=f"{name} has ended with status {status}")

    return handle


def start(context) -> list:
    """Checks the arguments, then says what to start."""
    value = {name: LaunchConfiguration(name).perform(context) for name, *_ in OWN}
    given = {row.name: LaunchConfiguration(row.name).perform(context) for row in NODE_PARAMETERS}
    share = get_package_share_directory("fcis_ros")
    try:
        rate = float(value["rate"])
    except ValueError:
        refuse("rate", value["rate"], "is not a number")
    if not 0 <= rate <= 1000:
        refuse("rate", value["rate"], "is not within 0 to 1000")
    source = value["source"]
    if source.startswith("file://"):
        refuse("source", source, "is a file: give its path, without file://")
    if source not in ("none", "synthetic") and not source.isdigit() and "://" not in source:
        existing("source", source)
    for name in ("camera_info_url", "params_file", "fastdds_profile"):
        if value[name]:
            existing(name, value[name])
    if given["model"]:
        existing("model", given["model"])
    if not re.fullmatch(r"[A-Za-z0-9_/~]+", value["image_topic"]):
        refuse("image_topic", value["image_topic"], "is not the name of a topic")
    if value["rviz"] == "true":
        try:
            get_package_prefix("rviz2")
        except PackageNotFoundError:
            refuse("rviz", "true", "needs the package rviz2, which is not installed")
    typed = {row.name: params.from_text(row, given[row.name]) for row in NODE_PARAMETERS if given[row.name]}

    # Launch takes any name. Others may be those of a launch file that includes this one; what is nearly one of ours is not.
    actions = []
    for unknown in context.launch_configurations.keys() - value.keys() - given.keys():
        for meant in difflib.get_close_matches(unknown, [*value, *given], 1, 0.8):
            actions.append(LogInfo(msg=f"argument {unknown} is unknown and of no effect: {meant}?"))

    sim_time = {"use_sim_time": True} if value["use_sim_time"] == "true" else {}
    common = {"namespace": value["namespace"], "output": "screen"}
    logging = ["--ros-args", "--log-level", value["log_level"]]
    enclave = "/fcis_ros"  # of config/security; without SROS 2 it means nothing
    image = value["image_topic"]
    variable = profile_variable()
    if value["fastdds_profile"] or not os.environ.get(variable):
        profile = value["fastdds_profile"] or f"{share}/config/fastdds_large_images.xml"
        actions.append(SetEnvironmentVariable(variable, profile))
    if source != "none":
        settings = {"source": source, "rate": rate, "loop": value["loop"] == "true", **sim_time}
        settings |= {name: value[name] for name in ("frame_id", "camera_info_url", "topic")}
        actions.append(
            Node(
                package="fcis_ros",
                executable="camera_source",
                parameters=[settings],
                remappings=[("image_raw", image)],
                arguments=[*logging, "--enclave", f"{enclave}/camera_source"],
                on_exit=ended("camera_source"),
                **common,
            )
        )
    files = [value["params_file"]] if value["params_file"] else []
    actions.append(
        Node(
            package="fcis_ros",
            executable="fcis_node",
            name="fcis_node",
            parameters=[*files, {**typed, **sim_time}],
            remappings=[("image", image)],
            arguments=[*logging, "--enclave", f"{enclave}/fcis_node"],
            on_exit=ended("fcis_node"),
            **common,
        )
    )
    if value["rviz"] == "true":
        arguments = ["-d", f"{share}/config/fcis.rviz"]
        actions.append(Node(package="rviz2", executable="rviz2", arguments=arguments, remappings=[("image", image)], **common))
    return actions


def generate_launch_description() -> LaunchDescription:
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=description, **({"choices": choices} if choices else {}))
        for name, default, description, choices in OWN
    ]
    for row in NODE_PARAMETERS:
        description = f"{row.description} Empty for what params_file says, or {params.text_of(row.default)!r}."
        arguments.append(DeclareLaunchArgument(row.name, default_value="", description=description))
    return LaunchDescription([*arguments, OpaqueFunction(function=start)])
