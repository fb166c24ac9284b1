# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The launch file and the configuration: what it uses is declared, what it names exists."""

import atexit
import importlib.util
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

sys.path.append(str(Path(__file__).parent))
import fast_dds
import launch_doubles
from recordings import Bags

from fcis_ros.errors import InputError
from fcis_ros.messages.typestore import IMAGE

ROOT = Path(__file__).resolve().parents[1]
LAUNCH = ROOT / "launch" / "camera.launch.py"
PROMISED = {"source", "rate", "image_topic", "model", "device", "score_threshold", "rviz", "namespace", "params_file"}
PROMISED |= {"precision", "use_sim_time", "log_level", "autostart", "fastdds_profile", "cameras", "track", "camera_info_url"}
pytestmark = pytest.mark.ros


def load_launch_file(path: Path = LAUNCH):
    spec = importlib.util.spec_from_file_location("launch_file", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(params=["doubles", pytest.param("real", marks=pytest.mark.launch)])
def entities(request, monkeypatch) -> list:
    """What the launch file describes, built with the doubles and with the real launch."""
    for name in fast_dds.VARIABLES.values():
        monkeypatch.delenv(name, raising=False)
    if request.param == "doubles":
        launch_doubles.install(monkeypatch)
    return load_launch_file().generate_launch_description().entities


def named(entities: list, kind: str) -> list:
    return [entity for entity in entities if type(entity).__name__ == kind]


def actions(entities: list, **given: str) -> list:
    """What is done with these arguments, in order."""
    import launch

    context = launch.LaunchContext()
    context.launch_configurations.update(given)
    for argument in named(entities, "DeclareLaunchArgument"):
        argument.visit(context)
    (start,) = named(entities, "OpaqueFunction")
    return start.execute(context)


@pytest.fixture
def doubles(monkeypatch):
    """Builds the actions with the doubles, for a look inside."""
    for name in fast_dds.VARIABLES.values():
        monkeypatch.delenv(name, raising=False)
    launch_doubles.install(monkeypatch)
    return lambda **given: actions(load_launch_file().generate_launch_description().entities, **given)


def test_launch_every_argument_is_described(entities):
    from fcis_ros.ros.params import PARAMETERS

    arguments = {argument.name: argument for argument in named(entities, "DeclareLaunchArgument")}
    assert PROMISED <= set(arguments) and {row.name for row in PARAMETERS if row.launch} <= set(arguments)
    for argument in arguments.values():
        description = argument.description.split(" Valid choices are: ")[0]  # launch adds the choices
        assert description[0].isupper() and description.endswith(".")
    for row in PARAMETERS:
        if row.launch:
            assert arguments[row.name].description.startswith(row.description)


def test_launch_arguments_run_no_code():
    text = LAUNCH.read_text()
    for word in ("eval(", "PythonExpression", "subprocess", "ExecuteProcess", "shell"):
        assert word not in text


@pytest.mark.parametrize("given, expected", [({}, ["camera_source", "fcis_node"]), ({"source": "none"}, ["fcis_node"])])
def test_launch_starts_camera_and_node(entities, given, expected):
    assert [node.node_executable for node in named(actions(entities, **given), "Node")] == expected


@pytest.mark.parametrize("source", ["0", "/dev/null", "rtsp://host/a", "http://host/a.mjpg", "{folder}", "{folder}/a.png"])
def test_launch_source_is_passed_on(doubles, tmp_path, source):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((48, 64, 3), np.uint8))
    source = source.format(folder=tmp_path)
    _, started, _ = doubles(source=source)
    assert (started.parameters[0]["source"], started.parameters[0]["wait_for"]) == (source, "")


def test_launch_recording_is_opened_by_topic(doubles, tmp_path):
    bags = Bags(tmp_path)
    bag = str(bags.write([(topic, IMAGE, bags.image(np.zeros((48, 64, 3), np.uint8), 1), 1) for topic in ("/left", "/right")]))
    with pytest.raises(InputError, match="argument source: .*several topics with images"):
        doubles(source=bag)
    _, started, _ = doubles(source=bag, topic="/left", wait="true", namespace="robot")
    assert (started.parameters[0]["topic"], started.parameters[0]["wait_for"]) == ("/left", "/robot/fcis_node")


def test_launch_cameras_of_params_file_read_the_source(doubles, tmp_path):
    (tmp_path / "two.yaml").write_text("/robot/fcis_node:\n  ros__parameters: {cameras: [front, left]}\n")
    given = {"params_file": str(tmp_path / "two.yaml"), "namespace": "robot"}
    with pytest.raises(InputError, match="argument cameras: 'front,left' do not read 'image_raw'"):
        doubles(**given)
    assert len(named(doubles(**given, image_topic="left/image"), "Node")) == 2
    assert len(named(doubles(**given, source="none"), "Node")) == 1


def test_launch_choices_are_checked(entities):
    with pytest.raises(RuntimeError, match="loop"):
        actions(entities, loop="often")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"score_threshold": "abc"}, "argument score_threshold: 'abc' is not of type float"),
        ({"score_threshold": "1.5"}, "argument score_threshold: '1.5' is not within 0.0 to 1.0"),
        ({"threads": "x"}, "argument threads: 'x' is not of type int"),
        ({"track": "maybe"}, "argument track: 'maybe' is not of type bool"),
        ({"transport": "pigeon"}, "argument transport: 'pigeon' is not one of auto, raw, compressed"),
        ({"rate": "fast"}, "argument rate: 'fast' is not a number"),
        ({"rate": "-1"}, "argument rate: '-1' is not within 0 to 1000"),
        ({"source": "/nowhere.mp4"}, "argument source: '/nowhere.mp4' does not exist"),
        ({"source": "/dev/video99"}, "argument source: '/dev/video99' does not exist"),
        ({"source": "file:///clip.mp4"}, "argument source: 'file:///clip.mp4' is a file: give its path, without file://"),
        ({"model": "/nowhere.safetensors"}, "argument model: '/nowhere.safetensors' does not exist"),
        ({"params_file": "/nowhere.yaml"}, "argument params_file: '/nowhere.yaml' does not exist"),
        ({"fastdds_profile": "/nowhere.xml"}, "argument fastdds_profile: '/nowhere.xml' does not exist"),
        ({"image_topic": "a topic"}, "argument image_topic: 'a topic' is not the name of a topic"),
        ({"image_topic": "~/img"}, "argument image_topic: '~/img' means another topic in every node"),
        ({"namespace": "1a"}, "argument namespace: '1a' is not a namespace"),
        ({"cameras": "front,1st"}, "argument cameras: '1st' is not a name of letters, digits and underscores"),
        ({"cameras": "front,left"}, "argument cameras: 'front,left' do not read 'image_raw', where the source publishes"),
        ({"device": "gpu"}, "argument device: 'gpu' is not auto, cpu, cuda or cuda:N"),
        ({"precision": "half"}, "argument precision: 'half' is not one of auto, fp32, tf32, bf16, fp16"),
        ({"model": __file__}, "is not a checkpoint (.safetensors) of fcis_ros"),
        ({"params_file": __file__}, "argument params_file: "),
        ({"fastdds_profile": __file__}, "is not XML: "),
        ({"camera_info_url": "/nowhere.yaml"}, "argument camera_info_url /nowhere.yaml: No such file"),
        ({"source": __file__}, "argument source: "),
        ({"topic": "/left"}, "argument topic: '/left' is for recordings: 0 is none"),
        ({"rviz": "true"}, "argument rviz: 'true' needs the package rviz2, which is not installed"),
    ],
)
def test_launch_wrong_argument_is_named(doubles, monkeypatch, given, message):
    from ament_index_python import packages

    prefix = packages.get_package_prefix

    def without_rviz(name):
        if name == "rviz2":
            raise packages.PackageNotFoundError(name)
        return prefix(name)

    monkeypatch.setattr(packages, "get_package_prefix", without_rviz)
    with pytest.raises(Exception, match=re.escape(message)):
        doubles(**given)


def test_launch_missing_arguments_override_nothing(doubles, tmp_path):
    (tmp_path / "mine.yaml").write_text("fcis_node:\n  ros__parameters: {track: true}\n")
    _, source, node = doubles(params_file=str(tmp_path / "mine.yaml"))
    assert node.parameters == [str(tmp_path / "mine.yaml"), {}]
    given = {"score_threshold": "1", "threads": "3", "track": "true", "cameras": "[front, left]", "use_sim_time": "true"}
    _, source, node = doubles(source="7", rate="12.5", image_topic="/front/image", **given)
    assert node.parameters == [
        {"score_threshold": 1.0, "threads": 3, "track": True, "cameras": ["front", "left"], "use_sim_time": True}
    ]
    assert type(node.parameters[0]["score_threshold"]) is float
    (settings,) = source.parameters
    assert (settings["source"], settings["rate"], settings["loop"], settings["use_sim_time"]) == ("7", 12.5, True, True)
    assert source.remappings == [("image_raw", "/front/image")] and node.remappings == [("image", "/front/image")]
    for started in (source, node):  # in the enclave that the policy has for it
        enclave = f"/fcis_ros/{started.node_executable}"
        assert started.arguments == ["--ros-args", "--log-level", "info", "--enclave", enclave]
        assert f'<enclave path="{enclave}">' in (ROOT / "config" / "security" / "fcis_ros.policy.xml").read_text()


def test_launch_misspelt_argument_is_reported(doubles):
    (line,) = named(doubles(score_treshold="0.3", bag="/drive", my_robot="7"), "LogInfo")
    assert line.msg == "argument score_treshold is unknown and has no effect; did you mean score_threshold?"


@pytest.mark.parametrize(("library", "variable"), fast_dds.VARIABLES.items())
def test_launch_profile_of_environment_is_kept(doubles, monkeypatch, tmp_path, library, variable):
    fast_dds.install(monkeypatch, tmp_path / "prefix", library)
    (setting,) = named(doubles(), "SetEnvironmentVariable")
    assert setting.name == variable and Path(setting.value).name == "fastdds_large_images.xml"
    assert Path(setting.value).is_file()
    monkeypatch.setenv(setting.name, "/robots/profile.xml")
    assert not named(doubles(), "SetEnvironmentVariable")
    (tmp_path / "given.xml").write_bytes((ROOT / "config" / "fastdds_large_images.xml").read_bytes())
    (setting,) = named(doubles(fastdds_profile=str(tmp_path / "given.xml")), "SetEnvironmentVariable")
    assert setting.value == str(tmp_path / "given.xml")


def test_launch_ends_with_status_of_process(doubles, monkeypatch):
    registered = []
    monkeypatch.setattr(atexit, "register", registered.append)
    _, source, node = doubles()
    context = launch_doubles.LaunchContext()
    for process, returned, expected in ((source, 0, 0), (node, 2, 2), (node, -11, 139)):
        registered.clear()
        end = process.on_exit(SimpleNamespace(returncode=returned), context)
        assert type(end).__name__ == "Shutdown" and f"ended with status {expected}" in end.reason
        assert bool(registered) == bool(expected)
    context.is_shutdown = True  # interrupted: what the processes end with now is no failure
    registered.clear()
    node.on_exit(SimpleNamespace(returncode=-2), context)
    assert not registered


def test_fastdds_profile_fits_large_images():
    root = ElementTree.parse(ROOT / "config" / "fastdds_large_images.xml").getroot()
    space = {"dds": root.tag.removeprefix("{").split("}")[0]}
    transports = {t.findtext("dds:transport_id", None, space): t for t in root.iter(f"{{{space['dds']}}}transport_descriptor")}
    shared = [t for t in transports.values() if t.findtext("dds:type", None, space) == "SHM"]
    assert len(shared) == 1 and int(shared[0].findtext("dds:segment_size", None, space)) >= 32 * 2**20
    participant = root.find("dds:participant", space)
    assert participant.get("is_default_profile") == "true"
    assert participant.findtext("dds:rtps/dds:useBuiltinTransports", None, space) == "false"
    chosen = [element.text for element in participant.findall("dds:rtps/dds:userTransports/dds:transport_id", space)]
    assert sorted(chosen) == sorted(transports)


def test_replay_includes_camera_launch(monkeypatch):
    """By the doubles, with all arguments of the one launch file known to the other."""
    launch_doubles.install(monkeypatch)
    entities = load_launch_file(ROOT / "launch" / "replay.launch.py").generate_launch_description().entities
    arguments = {argument.name: argument for argument in named(entities, "DeclareLaunchArgument")}
    assert arguments["bag"].default_value is None and arguments["loop"].default_value == "false"
    assert all(argument.description for argument in arguments.values())
    (included,) = named(entities, "IncludeLaunchDescription")
    assert dict(included.launch_arguments)["wait"] == "true"
    camera = load_launch_file(Path(included.launch_description_source.location)).generate_launch_description().entities
    known = {argument.name: argument for argument in named(camera, "DeclareLaunchArgument")}
    assert {name for name in arguments if name != "bag"} | {name for name, _ in included.launch_arguments} <= known.keys()
    for name in ("loop", "rviz"):
        assert arguments[name].choices == known[name].choices


@pytest.mark.parametrize(
    ("bag", "wrong"), [("/nowhere", "does not exist"), (__file__, "is not a recording"), (str(ROOT), "is not a recording")]
)
def test_replay_what_is_no_recording_is_refused(monkeypatch, bag, wrong):
    launch_doubles.install(monkeypatch)
    entities = load_launch_file(ROOT / "launch" / "replay.launch.py").generate_launch_description().entities
    (check,) = named(entities, "OpaqueFunction")
    context = launch_doubles.LaunchContext()
    context.launch_configurations["bag"] = bag
    with pytest.raises(InputError, match=f"argument bag: {bag!r} {wrong}"):
        check.execute(context)
