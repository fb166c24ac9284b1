# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Doubles of the parts of launch and launch_ros that launch files here use: a description is built and read without ROS.

They have the names, keywords and attributes of the real ones in Humble, the oldest, and no more: an import that Humble does not
have fails here as it fails there. test_launch.py runs against the real ones too where those are installed.
"""

import sys
from types import ModuleType


def perform(value, context: "LaunchContext") -> str:
    """Text, a substitution, or a list of them, as text."""
    if isinstance(value, (list, tuple)):
        return "".join(perform(part, context) for part in value)
    return value if isinstance(value, str) else value.perform(context)


class LaunchContext:
    def __init__(self):
        self.launch_configurations: dict[str, str] = {}
        self.environment: dict[str, str] = {}
        self.is_shutdown = False


class LaunchDescription:
    def __init__(self, initial_entities=None):
        self.entities = list(initial_entities or [])


class DeclareLaunchArgument:
    def __init__(self, name, *, default_value=None, description=None, choices=None):
        self.name, self.default_value, self.description, self.choices = name, default_value, description, choices
        if choices:
            self.description += f" Valid choices are: {choices}"

    def visit(self, context):
        if self.name not in context.launch_configurations:
            if self.default_value is None:
                raise RuntimeError(f"Required launch argument '{self.name}' was not provided.")
            context.launch_configurations[self.name] = perform(self.default_value, context)
        if self.choices and context.launch_configurations[self.name] not in self.choices:
            raise RuntimeError(f"Argument '{self.name}' is not valid. Valid options are: {self.choices}")


class SetEnvironmentVariable:
    def __init__(self, name, value):
        self.name, self.value = name, value

    def visit(self, context):
        context.environment[perform(self.name, context)] = perform(self.value, context)


class LaunchConfiguration:
    def __init__(self, variable_name, *, default=None):
        self.variable_name, self.default = variable_name, default

    def perform(self, context):
        return context.launch_configurations[self.variable_name]


class OpaqueFunction:
    def __init__(self, *, function):
        self.function = function

    def execute(self, context):
        return self.function(context)


class PythonLaunchDescriptionSource:
    def __init__(self, launch_file_path):
        self.location = launch_file_path


class IncludeLaunchDescription:
    def __init__(self, launch_description_source, *, launch_arguments=None):
        self.launch_description_source, self.launch_arguments = launch_description_source, list(launch_arguments or [])


class LogInfo:
    def __init__(self, *, msg):
        self.msg = msg


class Shutdown:
    def __init__(self, *, reason="reason not given"):
        self.reason = reason


class Node:
    def __init__(
        self, *, executable, package, name=None, namespace=None, parameters=None, remappings=None, arguments=None,
        output="log", on_exit=None,
    ):  # fmt: skip
        self.node_executable, self.node_package, self.node_name, self.namespace = executable, package, name, namespace
        self.parameters, self.remappings, self.arguments = parameters or [], remappings or [], arguments or []
        self.output, self.on_exit = output, on_exit


MODULES = {
    "launch": [LaunchContext, LaunchDescription],
    "launch.actions": [
        DeclareLaunchArgument, IncludeLaunchDescription, LogInfo, OpaqueFunction, SetEnvironmentVariable, Shutdown
    ],  # fmt: skip
    "launch.launch_description_sources": [PythonLaunchDescriptionSource],
    "launch.substitutions": [LaunchConfiguration],
    "launch_ros": [],
    "launch_ros.actions": [Node],
}


def install(monkeypatch) -> None:
    """For one test, ``import launch`` finds these."""
    for name, members in MODULES.items():
        module = ModuleType(name)
        for member in members:
            setattr(module, member.__name__, member)
        monkeypatch.setitem(sys.modules, name, module)
