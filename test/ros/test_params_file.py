# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fcis_ros.errors import InputError
from fcis_ros.ros import params_file

# What rcl gives a node /ns/fcis_node of a file with these sections (tried with Jazzy's and Kilted's).
SECTIONS = {
    "/**": True, "/**/fcis_node": True, "/*/fcis_node": True, "/ns/*": True, "/ns/fcis_node": True, "ns/fcis_node": True,
    "fcis_node": False, "/fcis_node": False, "/*": False, "/ns/fcis": False, "/other/fcis_node": False, "/ns/**": True,
}  # fmt: skip


@pytest.mark.parametrize(("section", "expected"), SECTIONS.items())
def test_matches_section_is_for_node(tmp_path, section, expected):
    path = tmp_path / "params.yaml"
    path.write_text(f"{section}:\n  ros__parameters: {{track: true}}\n")
    (found,) = params_file.read(str(path))
    assert params_file.matches(found, "/ns/fcis_node") == expected


def test_read_nested_namespaces_are_joined(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("ns:\n  fcis_node:\n    ros__parameters: {track: true}\n  other:\n    ros__parameters:\n")
    assert params_file.read(str(path)) == {"/ns/fcis_node": {"track": True}}
    assert params_file.parameters_for(str(path), "/ns/fcis_node") == {"track": True}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (None, "No such file or directory"),
        ("/**:\n\tros__parameters:\n", "not YAML: .*cannot start any token"),
        ("fcis_node:\n  score_threshold: 0.9\n", "/fcis_node/score_threshold has no section ros__parameters"),
        ("just words", "the file has no section ros__parameters"),
        ("/**:\n  ros__parameters: [1]\n", r"ros__parameters of /\*\* are not names with values"),
        ("", "no section for /ns/fcis_node; it is empty"),
        ("fcis:\n  ros__parameters: {a: 1}\n", "no section for /ns/fcis_node; it has /fcis"),
        ("\xe4".encode("latin-1"), "not a text file"),
    ],
)
def test_parameters_for_unusable_file_is_named(tmp_path, text, named):
    path = tmp_path / "params.yaml"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=f"params.yaml: {named}") as error:
        params_file.parameters_for(str(path), "/ns/fcis_node")
    assert "\n" not in str(error.value)


values = st.recursive(st.none() | st.integers() | st.text(max_size=3), lambda v: st.lists(v) | st.dictionaries(
    st.sampled_from(["ros__parameters", "/**", "fcis_node", "a", "/"]), v), max_leaves=8)  # fmt: skip


@given(content=values)
def test_read_any_yaml_is_read_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(yaml.safe_dump(content))
    try:
        found = params_file.read(str(path))
    except InputError as error:
        assert str(error).startswith(str(path))
    else:
        assert all(name.startswith("/") or not name for name in found)


@pytest.mark.parametrize(
    ("arguments", "files"),
    [
        ([], []),
        (["node", "--params-file", "no.yaml"], []),
        (["node", "--ros-args", "--params-file", "a.yaml", "-p", "x:=1", "--params-file", "b.yaml"], ["a.yaml", "b.yaml"]),
        (["node", "--ros-args", "-p", "x:=1", "--", "--params-file", "no.yaml", "--ros-args", "--params-file", "a.yaml"],
         ["a.yaml"]),
    ],
)  # fmt: skip
def test_given_files_are_those_of_ros(arguments, files):
    assert params_file.given_files(arguments) == files
