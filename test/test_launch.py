"""The launch file and the configuration: what it uses is declared, what it names exists."""

import ast
import importlib.util
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LAUNCH = ROOT / "launch" / "camera.launch.py"
PROMISED = {"source", "rate", "image_topic", "model", "device", "score_threshold", "rviz", "namespace", "params_file"}
PROMISED |= {"use_sim_time", "log_level", "autostart", "fastdds_profile"}


def calls(name: str) -> list[ast.Call]:
    tree = ast.parse(LAUNCH.read_text())
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "id", "") == name]


def declared() -> dict[str, ast.Call]:
    """{argument: its declaration}, without the helper's own call."""
    return {call.args[0].value: call for call in calls("argument")}


def used() -> set[str]:
    names = [call.args[0] for call in calls("LaunchConfiguration") + calls("typed")]
    return {name.value for name in names if isinstance(name, ast.Constant)}


def test_every_argument_is_declared_described_and_used():
    assert PROMISED <= set(declared())
    assert used() == set(declared())
    for name, call in declared().items():
        description = call.args[2].value
        assert len(description) > 10 and description[0].isupper() and description.endswith("."), name


def test_arguments_are_in_plain_sight():
    """``--show-args`` lists what is declared at the top level only."""
    text = LAUNCH.read_text()
    for word in ("OpaqueFunction", "eval(", "PythonExpression", "subprocess"):
        assert word not in text


def test_boolean_arguments_have_choices():
    for name, call in declared().items():
        default = getattr(call.args[1], "value", None)
        assert (default in ("true", "false")) == (len(call.args) > 3 and getattr(call.args[3], "id", "") == "BOOLEAN"), name


def test_executables_and_files_exist():
    text = LAUNCH.read_text()
    for executable in re.findall(r'package="fcis_ros",\s+executable="(\w+)"', text):
        assert (ROOT / "scripts" / executable).is_file()
    for name in re.findall(r'"config", "([\w.]+)"', text):
        assert (ROOT / "config" / name).is_file()


def test_launch_description_with_the_real_launch():
    pytest.importorskip("launch_ros", reason="launch_ros is not on PyPI; a ROS installation has it")
    from launch.actions import DeclareLaunchArgument
    from launch_ros.actions import Node

    from launch import LaunchContext

    spec = importlib.util.spec_from_file_location("camera_launch", LAUNCH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    entities = module.generate_launch_description().entities
    arguments = {entity.name: entity for entity in entities if isinstance(entity, DeclareLaunchArgument)}
    nodes = [entity for entity in entities if isinstance(entity, Node)]
    assert set(arguments) == set(declared())

    def started(**given: str) -> int:
        context = LaunchContext()
        for name, argument in arguments.items():
            if name not in ("params_file", "fastdds_profile"):
                argument.visit(context)
        context.launch_configurations.update(given)
        return sum(node.condition is None or node.condition.evaluate(context) for node in nodes)

    assert started() == 2
    assert started(source="none") == 1
    assert started(source="none", rviz="true") == 2


def test_fastdds_profile_has_room_for_large_images():
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
