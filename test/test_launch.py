"""The launch file and the configuration: what it uses is declared, what it names exists."""

import ast
import importlib.util
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))
import launch_doubles  # noqa: E402

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


def load_launch_file():
    spec = importlib.util.spec_from_file_location("camera_launch", LAUNCH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(params=["doubles", pytest.param("real", marks=pytest.mark.launch)])
def entities(request, monkeypatch) -> list:
    """What the launch file describes, built with the doubles and with the real launch."""
    if request.param == "doubles":
        launch_doubles.install(monkeypatch)
    return load_launch_file().generate_launch_description().entities


def named(entities: list, kind: str) -> list:
    return [entity for entity in entities if type(entity).__name__ == kind]


def started(entities: list, **given: str) -> list[str]:
    """Executables that are started with these arguments, in order."""
    import launch

    context = launch.LaunchContext()
    context.launch_configurations.update(params_file="", fastdds_profile="", **given)  # theirs need an installed package
    for argument in named(entities, "DeclareLaunchArgument"):
        argument.visit(context)
    nodes = named(entities, "Node")
    assert {node.node_package for node in nodes} == {"fcis_ros", "rviz2"}
    return [node.node_executable for node in nodes if node.condition is None or node.condition.evaluate(context)]


def test_description_declares_what_the_text_says(entities):
    assert {entity.name for entity in named(entities, "DeclareLaunchArgument")} == set(declared())


@pytest.mark.parametrize(
    "given, expected",
    [
        ({}, ["camera_source", "fcis_node"]),
        ({"source": "none"}, ["fcis_node"]),
        ({"source": "synthetic", "rviz": "true"}, ["camera_source", "fcis_node", "rviz2"]),
        ({"source": "none", "rviz": "true"}, ["fcis_node", "rviz2"]),
    ],
)
def test_what_is_started(entities, given, expected):
    assert started(entities, **given) == expected


def test_choices_are_checked(entities):
    with pytest.raises(RuntimeError, match="loop"):
        started(entities, loop="often")


@pytest.mark.parametrize("distribution, variable", [("humble", "FASTRTPS"), ("jazzy", "FASTDDS"), (None, "FASTDDS")])
def test_parameters_remappings_and_environment(monkeypatch, distribution, variable):
    launch_doubles.install(monkeypatch)
    monkeypatch.delenv("ROS_DISTRO", raising=False)
    if distribution:
        monkeypatch.setenv("ROS_DISTRO", distribution)
    entities = load_launch_file().generate_launch_description().entities
    context = launch_doubles.LaunchContext()
    given = {"source": "7", "rate": "12.5", "image_topic": "/front/image_raw", "score_threshold": "1", "threads": "3"}
    context.launch_configurations.update(given)
    for entity in named(entities, "DeclareLaunchArgument") + named(entities, "SetEnvironmentVariable"):
        entity.visit(context)
    assert context.environment == {f"{variable}_DEFAULT_PROFILES_FILE": str(ROOT / "config" / "fastdds_large_images.xml")}
    source, node, rviz = named(entities, "Node")

    def parameters(node) -> dict:
        tables = [table for table in node.parameters if isinstance(table, dict)]
        return {name: value.evaluate(context) for table in tables for name, value in table.items()}

    assert parameters(source) == {
        "use_sim_time": False, "source": "7", "rate": 12.5, "loop": True, "frame_id": "camera_optical_frame",
    }  # fmt: skip
    assert type(parameters(source)["source"]) is str and type(parameters(node)["score_threshold"]) is float
    assert parameters(node) == {
        "use_sim_time": False, "model": "", "device": "auto", "threads": 3, "score_threshold": 1.0, "autostart": True,
    }  # fmt: skip
    assert launch_doubles.perform(node.parameters[0], context) == str(ROOT / "config" / "fcis_node.yaml")
    for entity, topic in ((source, "image_raw"), (node, "image"), (rviz, "image")):
        ((name, value),) = entity.remappings
        assert (name, value.perform(context)) == (topic, "/front/image_raw")
    for entity in (source, node):
        assert [launch_doubles.perform(part, context) for part in entity.arguments] == ["--ros-args", "--log-level", "info"]
    assert launch_doubles.perform(rviz.arguments[1], context) == str(ROOT / "config" / "fcis.rviz")


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
