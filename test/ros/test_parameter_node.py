# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Parameters that are given at the start and set at run time, with a node in this process."""

import sys

import pytest

from fcis_ros.errors import InputError
from fcis_ros.ros import params

pytestmark = pytest.mark.ros


@pytest.fixture
def make(monkeypatch, capfd):
    """Makes a node with arguments as of a command line; returns it, its values, and what it has logged."""
    import rclpy

    from fcis_ros.ros.parameter_node import ParameterNode

    contexts = []

    def run(*arguments: str):
        monkeypatch.setattr(sys, "argv", ["node", "--ros-args", *arguments])
        contexts.append(rclpy.Context())
        rclpy.init(context=contexts[-1])
        node = ParameterNode("fcis_node", context=contexts[-1], namespace="/ns")
        return node, node.declare(params.PARAMETERS), capfd.readouterr().err

    yield run
    for context in contexts:
        context.try_shutdown()


def test_declare_empty_lists_mean_none(make, tmp_path):
    (tmp_path / "empty.yaml").write_text("/**:\n  ros__parameters:\n    classes: []\n    overlay_text: []\n")
    _, values, said = make("--params-file", str(tmp_path / "empty.yaml"), "-p", "cameras:=[]")
    settings = params.settings_of(values)
    assert settings.classes == settings.overlay_text == () and params.cameras(values["cameras"]) == ("",)
    assert not said


def test_declare_unknown_parameters_are_named(make, tmp_path):
    (tmp_path / "typo.yaml").write_text("/**:\n  ros__parameters: {score_treshold: 0.9, zzz: 1, use_sim_time: true}\n")
    _, values, said = make("--params-file", str(tmp_path / "typo.yaml"), "-p", "trak:=true")
    assert values["score_threshold"] == 0.5
    assert "parameter score_treshold does not exist and has no effect; did you mean score_threshold?" in said
    assert "parameter trak does not exist and has no effect; did you mean track?" in said
    assert "parameter zzz does not exist and has no effect\n" in said and said.count("[WARN]") == 3


def test_declare_file_for_other_node_is_named(make, tmp_path):
    (tmp_path / "other.yaml").write_text("fcis_node:\n  ros__parameters:\n    score_threshold: 0.9\n")
    (tmp_path / "good.yaml").write_text("/ns/fcis_node:\n  ros__parameters:\n    score_threshold: 0.25\n")
    files = [word for name in ("other", "good") for word in ("--params-file", str(tmp_path / f"{name}.yaml"))]
    _, values, said = make(*files)
    assert values["score_threshold"] == 0.25 and said.count("[WARN]") == 1
    assert f"{tmp_path}/other.yaml: no section for /ns/fcis_node; it has /fcis_node (it has no effect)" in said


def test_declare_wrong_type_is_refused(make):
    with pytest.raises(InputError, match="parameter score_threshold: "):
        make("-p", "score_threshold:=high")
    with pytest.raises(InputError, match="parameter classes: "):
        make("-p", "classes:=[1]")


def set_one(node, given):
    """As the node's service of parameters sets each of a request."""
    return node.set_parameters_atomically([given])


def test_set_read_only_parameter_to_its_value_succeeds(make):
    """As `ros2 param load` of a dump does, with every parameter in turn."""
    from rcl_interfaces.msg import Parameter as Message
    from rclpy.parameter import Parameter

    node, values, _ = make()
    for name in [*values, "use_sim_time"]:
        given = Parameter.from_parameter_msg(Message(name=name, value=node.get_parameter(name).get_parameter_value()))
        assert set_one(node, given).successful, name
    for name, value in {"device": "cpu", "cameras": ["front"], "track": True, "threads": 1}.items():
        result = set_one(node, Parameter(name, value=value))
        assert not result.successful and "read-only" in result.reason
    both = [Parameter("device", value="auto"), Parameter("max_instances", value=7)]
    assert node.set_parameters_atomically(both).successful and node.get_parameter("max_instances").value == 7


def test_set_empty_list_of_any_type_means_none(make):
    from rclpy.parameter import Parameter

    node, _, _ = make("-p", "classes:=[car]")
    for kind in (Parameter.Type.BOOL_ARRAY, Parameter.Type.INTEGER_ARRAY, Parameter.Type.STRING_ARRAY):
        assert set_one(node, Parameter("classes", Parameter.Type.STRING_ARRAY, ["car"])).successful
        assert set_one(node, Parameter("classes", kind, [])).successful, kind
        assert node.get_parameter("classes").value == [""]
    assert set_one(node, Parameter("cameras", Parameter.Type.BOOL_ARRAY, [])).successful  # as it is
    assert not set_one(node, Parameter("classes", Parameter.Type.INTEGER_ARRAY, [1])).successful
    assert not set_one(node, Parameter("silence_s", Parameter.Type.BOOL_ARRAY, [])).successful
