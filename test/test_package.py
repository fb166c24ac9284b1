# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""What the build files say about the package: one version, the executables, the messages as promised."""

import ast
import importlib
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

import fcis_ros

ROOT = Path(__file__).resolve().parents[1]
PACKAGE_XML = ElementTree.parse(ROOT / "package.xml").getroot()

MASK_FIELDS = [
    "uint32 id",
    "uint16 class_id",
    "string class_name",
    "float32 score",
    "sensor_msgs/RegionOfInterest roi",
    "uint32 area",
    "uint32[] rle",
]
ARRAY_FIELDS = ["std_msgs/Header header", "uint32 height", "uint32 width", "string model", "InstanceMask[] masks"]


def fields(path: Path) -> list[str]:
    lines = (line.split("#")[0].strip() for line in path.read_text().splitlines())
    return [line for line in lines if line]


def test_version_is_the_same_everywhere():
    assert PACKAGE_XML.findtext("version") == fcis_ros.__version__


def test_metadata_has_version_and_licence():
    pyproject = (ROOT / "pyproject.toml").read_text()
    assert 'version = { attr = "fcis_ros.__version__" }' in pyproject
    # As text in pyproject.toml only setuptools 77 and later take the licence, as a table none will from 2027 on.
    assert not re.search(r"^license", pyproject, re.MULTILINE) and 'license="Apache-2.0"' in (ROOT / "setup.py").read_text()
    assert "version=" not in (ROOT / "setup.py").read_text()


def test_py_typed_is_packaged(tmp_path):
    """PEP 561."""
    folder = os.path.relpath(tmp_path, ROOT)  # setuptools 62 takes no absolute path here
    command = [sys.executable, "setup.py", "--quiet", "egg_info", "--egg-base", folder, "build_py", "--build-lib", folder]
    subprocess.run(command, cwd=ROOT, env=os.environ | {"FCIS_BUILD_OPS": "OFF"}, check=True)
    assert (tmp_path / "fcis_ros" / "py.typed").is_file()


@pytest.mark.ros
def test_py_typed_is_installed():
    import fcis_ros.msg

    assert (Path(fcis_ros.msg.__file__).parents[1] / "py.typed").is_file()


def test_name_is_the_same_everywhere():
    assert PACKAGE_XML.get("format") == "3"
    assert PACKAGE_XML.findtext("name") == "fcis_ros"
    assert PACKAGE_XML.findtext("export/build_type") == "ament_cmake"
    assert [group.text for group in PACKAGE_XML.findall("member_of_group")] == ["rosidl_interface_packages"]
    assert "project(fcis_ros)" in (ROOT / "CMakeLists.txt").read_text()


@pytest.mark.parametrize("name, expected", [("InstanceMask", MASK_FIELDS), ("InstanceMaskArray", ARRAY_FIELDS)])
def test_message_definition_has_the_documented_fields(name, expected):
    assert fields(ROOT / "msg" / f"{name}.msg") == expected


def test_build_files_list_every_message_and_dependency():
    cmake = (ROOT / "CMakeLists.txt").read_text()
    definitions = [path.relative_to(ROOT).as_posix() for kind in ("msg", "srv") for path in (ROOT / kind).iterdir()]
    assert sorted(re.findall(r"\b(?:msg|srv)/\w+\.(?:msg|srv)\b", cmake)) == sorted(definitions)
    found = set(re.findall(r"find_package\((\w+) REQUIRED\)", cmake))
    declared = {element.text for element in PACKAGE_XML if element.tag.endswith("depend")}
    assert {"ament_cmake", "rosidl_default_generators", "sensor_msgs"} <= found <= declared


def test_package_xml_declares_build_tools_and_no_screen():
    depends = {kind: {element.text for element in PACKAGE_XML.findall(kind)} for kind in ("buildtool_depend", "exec_depend")}
    assert "python3-setuptools" in depends["buildtool_depend"]  # of setup.py, which compiles the operators
    assert "rviz2" not in depends["exec_depend"]


def test_package_xml_declares_imported_ros_packages():
    ours = re.compile(r"rclpy|cv_bridge|launch(_ros)?|ament_index_python|\w+_(msgs|interfaces)")
    declared = {element.text for element in PACKAGE_XML if element.tag.endswith("depend")}
    imported = set()
    for path in [*(ROOT / "fcis_ros").rglob("*.py"), *(ROOT / "launch").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            tops = {name.split(".")[0] for name in names}
            found = {top for top in tops if ours.fullmatch(top)}
            assert found <= declared, path.name
            imported |= found
    assert {"rclpy", "sensor_msgs", "launch_ros"} <= imported


@pytest.mark.ros
@pytest.mark.parametrize("name, expected", [("InstanceMask", MASK_FIELDS), ("InstanceMaskArray", ARRAY_FIELDS)])
def test_built_message_has_the_documented_fields(name, expected):
    import fcis_ros.msg

    message = getattr(fcis_ros.msg, name)
    assert list(message.get_fields_and_field_types()) == [field.split()[1] for field in expected]


@pytest.mark.ros
@pytest.mark.parametrize("executable", ["fcis_node", "camera_source", "fcis"])
def test_executables_run_this_python(executable):
    from ament_index_python.packages import get_package_prefix

    path = Path(get_package_prefix("fcis_ros")) / "lib" / "fcis_ros" / executable
    first, *body = path.read_text().splitlines()
    assert os.access(path, os.X_OK)
    assert Path(first.removeprefix("#!")).samefile(sys.executable)
    imported = [line.split()[1] for line in body if line.strip().startswith("from fcis_ros")]
    assert any(callable(getattr(importlib.import_module(name), "main", None)) for name in imported)
