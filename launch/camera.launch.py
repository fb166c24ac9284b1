"""A camera and the node that finds instance masks in its images: ``ros2 launch fcis_ros camera.launch.py --show-args``."""

import os

from launch.actions import DeclareLaunchArgument, SetEnvironmentVariable
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from launch import Condition, LaunchContext, LaunchDescription

SHARE = FindPackageShare("fcis_ros")
# Humble's name for it; later releases warn about the old one.
PREFIX = "FASTRTPS" if os.environ.get("ROS_DISTRO") == "humble" else "FASTDDS"
FASTDDS_VARIABLE = f"{PREFIX}_DEFAULT_PROFILES_FILE"
BOOLEAN = ["true", "false"]


def argument(name: str, default, description: str, choices: list[str] | None = None) -> DeclareLaunchArgument:
    return DeclareLaunchArgument(name, default_value=default, description=description, choices=choices)


def typed(name: str, kind: type) -> ParameterValue:
    """An argument as a parameter of this type, whatever its text looks like."""
    return ParameterValue(LaunchConfiguration(name), value_type=kind)


def has_source(context: LaunchContext) -> bool:
    return LaunchConfiguration("source").perform(context) != "none"  # Humble has no EqualsSubstitution before launch 1.0.9


def generate_launch_description() -> LaunchDescription:
    image, namespace = LaunchConfiguration("image_topic"), LaunchConfiguration("namespace")
    common = {"use_sim_time": typed("use_sim_time", bool)}
    logging = ["--ros-args", "--log-level", LaunchConfiguration("log_level")]
    return LaunchDescription(
        [
            argument("source", "0", "Camera index, video, image folder, image or 'synthetic'; 'none' to publish nothing."),
            argument("rate", "0.0", "Frames per second of the source; 0.0 for its own."),
            argument("loop", "true", "Start the source again at its end.", BOOLEAN),
            argument("frame_id", "camera_optical_frame", "Optical frame in the source's headers (REP-103)."),
            argument("image_topic", "image_raw", "Topic of the images, published by the source and read by the node."),
            argument("namespace", "", "Namespace of all nodes."),
            argument("model", "", "Checkpoint (.safetensors); empty for the one that comes along."),
            argument("device", "auto", "Where the network computes: auto, cpu, cuda or cuda:N."),
            argument("threads", "0", "CPU threads of the network; 0 leaves the choice to PyTorch."),
            argument("score_threshold", "0.5", "Publish instances from this score, 0.0 to 1.0."),
            argument("autostart", "true", "Configure and activate the node at start; false leaves that to a manager.", BOOLEAN),
            argument(
                "params_file",
                PathJoinSubstitution([SHARE, "config", "fcis_node.yaml"]),
                "Further parameters of the node; the arguments of this launch file win.",
            ),
            argument("use_sim_time", "false", "Take the time from /clock, for bags.", BOOLEAN),
            argument("rviz", "false", "Show camera, overlay and labels in RViz.", BOOLEAN),
            argument("log_level", "info", "Verbosity of all nodes.", ["debug", "info", "warn", "error", "fatal"]),
            argument(
                "fastdds_profile",
                PathJoinSubstitution([SHARE, "config", "fastdds_large_images.xml"]),
                "Fast DDS profile with room for large images; other image publishers on this host need it too.",
            ),
            SetEnvironmentVariable(FASTDDS_VARIABLE, LaunchConfiguration("fastdds_profile")),
            Node(
                package="fcis_ros",
                executable="camera_source",
                namespace=namespace,
                condition=Condition(predicate=has_source),
                parameters=[
                    {
                        **common,
                        "source": typed("source", str),
                        "rate": typed("rate", float),
                        "loop": typed("loop", bool),
                        "frame_id": typed("frame_id", str),
                    }
                ],
                remappings=[("image_raw", image)],
                arguments=logging,
                output="screen",
            ),
            Node(
                package="fcis_ros",
                executable="fcis_node",
                name="fcis_node",
                namespace=namespace,
                parameters=[
                    LaunchConfiguration("params_file"),
                    {
                        **common,
                        "model": typed("model", str),
                        "device": typed("device", str),
                        "threads": typed("threads", int),
                        "score_threshold": typed("score_threshold", float),
                        "autostart": typed("autostart", bool),
                    },
                ],
                remappings=[("image", image)],
                arguments=logging,
                output="screen",
            ),
            Node(
                package="rviz2",
                executable="rviz2",
                namespace=namespace,
                condition=IfCondition(LaunchConfiguration("rviz")),
                arguments=["-d", PathJoinSubstitution([SHARE, "config", "fcis.rviz"])],
                remappings=[("image", image)],
                output="screen",
            ),
        ]
    )
