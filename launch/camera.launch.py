# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Starts a camera and the node that predicts instance masks: ``ros2 launch fcis_ros camera.launch.py --show-args``.

Arguments are checked before the first process starts; docs/node.md lists what only the nodes can check. When the camera or the
node ends, the launch ends the others and has the same status.
"""

import atexit
import difflib
import os
import sys

from ament_index_python.packages import PackageNotFoundError, get_package_prefix, get_package_share_directory
from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction, SetEnvironmentVariable, Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from fcis_ros.dds_profile import profile_variable
from fcis_ros.ros import launch_checks, params
from launch import LaunchDescription

try:
    from fcis_ros.bags.reader import open_recording
except ImportError:  # rosbags is not installed
    open_recording = None

BOOLEAN = ("true", "false")
# (name, default, description, choices) of the arguments that are not parameters of the node.
LAUNCH_ARGUMENTS = (
    ("source", "0", "Camera (index, /dev/video2, rtsp://...), recording, video, folder, image, 'synthetic', or 'none'.", ()),
    ("rate", "0.0", "Frames per second of the source; 0.0 for the source's rate.", ()),
    ("wait", "false", "Whether the source waits until the node reads the images, and counts the answers.", BOOLEAN),
    ("topic", "", "Topic of the images in a recording with several image topics.", ()),
    ("loop", "true", "Whether the source starts again at its end.", BOOLEAN),
    ("frame_id", "camera_optical_frame", "Optical frame in the source's headers (REP-103).", ()),
    ("camera_info_url", "", "Calibration of the source's camera: a path, file:// or package:// URL; empty for none.", ()),
    ("image_topic", "image_raw", "Topic of the images from the source to the node.", ()),
    ("namespace", "", "Namespace of all nodes.", ()),
    ("params_file", "", "YAML file with parameters of the node; arguments override it.", ()),
    ("use_sim_time", "false", "Whether the time comes from /clock, for recordings.", BOOLEAN),
    ("rviz", "false", "Whether RViz shows camera, overlay and labels.", BOOLEAN),
    ("log_level", "info", "Verbosity of all nodes.", ("debug", "info", "warn", "error", "fatal")),
    ("fastdds_profile", "", "Fast DDS profile; empty for that of the environment, or the package's for large images.", ()),
)  # fmt: skip
NODE_PARAMETERS = tuple(row for row in params.PARAMETERS if row.launch)


def ended(name: str):
    """Returns the action for the end of a process: without it launch would go on, and end with status 0."""

    def handle(event, context) -> Shutdown:
        status = event.returncode if event.returncode >= 0 else 128 - event.returncode
        if status and not context.is_shutdown:
            # The launch service offers no other way to end with this status.
            atexit.register(lambda: (sys.stdout.flush(), sys.stderr.flush(), os._exit(status)))
        return Shutdown(reason=f"{name} has ended with status {status}")

    return handle


def start(context) -> list:
    """Checks the arguments and returns the actions."""
    value = {name: LaunchConfiguration(name).perform(context) for name, *_ in LAUNCH_ARGUMENTS}
    given = {row.name: LaunchConfiguration(row.name).perform(context) for row in NODE_PARAMETERS}
    share = get_package_share_directory("fcis_ros")
    source, image = value["source"], value["image_topic"]
    rate = launch_checks.number("rate", value["rate"], 0, 1000)
    namespace = launch_checks.full_namespace(value["namespace"])
    node_name = f"{namespace.rstrip('/')}/fcis_node"
    launch_checks.topic("image_topic", image, namespace)
    launch_checks.device(given["device"])
    typed = {row.name: params.from_text(row, given[row.name]) for row in NODE_PARAMETERS if given[row.name]}
    if given["model"]:
        launch_checks.model(given["model"])
    in_file = launch_checks.parameters(value["params_file"], node_name) if value["params_file"] else {}
    launch_checks.cameras((in_file | typed).get("cameras", []), source, image, namespace)
    if value["camera_info_url"]:
        launch_checks.camera_info_url(value["camera_info_url"])
    if value["fastdds_profile"]:
        launch_checks.fastdds_profile(value["fastdds_profile"])
    if value["rviz"] == "true":
        try:
            get_package_prefix("rviz2")
        except PackageNotFoundError:
            launch_checks.refuse("rviz", "true", "needs the package rviz2, which is not installed")
    launch_checks.source("source", source, value["topic"], open_recording)

    # Launch accepts any name, e.g. arguments of an including launch file; a near miss of a name is reported.
    actions = []
    for unknown in context.launch_configurations.keys() - value.keys() - given.keys():
        for meant in difflib.get_close_matches(unknown, [*value, *given], 1, 0.8):
            actions.append(LogInfo(msg=f"argument {unknown} is unknown and has no effect; did you mean {meant}?"))

    sim_time = {"use_sim_time": True} if value["use_sim_time"] == "true" else {}
    common = {"namespace": value["namespace"], "output": "screen"}
    logging = ["--ros-args", "--log-level", value["log_level"]]
    enclave = "/fcis_ros"  # of config/security; without SROS 2 it has no effect
    variable = profile_variable()
    if value["fastdds_profile"] or not os.environ.get(variable):
        profile = value["fastdds_profile"] or f"{share}/config/fastdds_large_images.xml"
        actions.append(SetEnvironmentVariable(variable, profile))
    if source != "none":
        settings = {"source": source, "rate": rate, "loop": value["loop"] == "true", **sim_time}
        settings |= {name: value[name] for name in ("frame_id", "camera_info_url", "topic")}
        settings["wait_for"] = node_name if value["wait"] == "true" else ""
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
        for name, default, description, choices in LAUNCH_ARGUMENTS
    ]
    for row in NODE_PARAMETERS:
        description = f"{row.description} Empty for the value in params_file, or {params.text_of(row.default)!r}."
        arguments.append(DeclareLaunchArgument(row.name, default_value="", description=description))
    return LaunchDescription([*arguments, OpaqueFunction(function=start)])
