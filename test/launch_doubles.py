"""Doubles of the parts of launch and launch_ros that launch files here use: a description is built and read without ROS's own.

They have the names, keywords and attributes of the real ones in Humble, the oldest, and no more: an import that Humble does not
have fails here as it fails there. test_launch.py runs against the real ones too where those are installed.
"""

import os
import sys
from pathlib import Path
from types import ModuleType

SHARE = Path(__file__).resolve().parents[1]


def perform(value, context: "LaunchContext") -> str:
    """Text, a substitution, or a list of them, as text."""
    if isinstance(value, (list, tuple)):
        return "".join(perform(part, context) for part in value)
    return value if isinstance(value, str) else value.perform(context)


class LaunchContext:
    def __init__(self):
        self.launch_configurations: dict[str, str] = {}
        self.environment: dict[str, str] = {}


class LaunchDescription:
    def __init__(self, initial_entities=None):
        self.entities = list(initial_entities or [])


class Condition:
    def __init__(self, *, predicate=None):
        self.evaluate = predicate


class IfCondition(Condition):
    def __init__(self, predicate_expression):
        super().__init__(predicate=lambda context: perform(predicate_expression, context).lower() in ("true", "1"))


class UnlessCondition(Condition):
    def __init__(self, predicate_expression):
        super().__init__(predicate=lambda context: perform(predicate_expression, context).lower() not in ("true", "1"))


class DeclareLaunchArgument:
    def __init__(self, name, *, default_value=None, description=None, choices=None, condition=None):
        self.name, self.default_value, self.description, self.choices = name, default_value, description, choices

    def visit(self, context):
        if self.name not in context.launch_configurations:
            if self.default_value is None:
                raise RuntimeError(f"Required launch argument '{self.name}' was not provided.")
            context.launch_configurations[self.name] = perform(self.default_value, context)
        if self.choices and context.launch_configurations[self.name] not in self.choices:
            raise RuntimeError(f"Argument '{self.name}' is not valid. Valid options are: {self.choices}")


class SetEnvironmentVariable:
    def __init__(self, name, value, *, condition=None):
        self.name, self.value, self.condition = name, value, condition

    def visit(self, context):
        context.environment[perform(self.name, context)] = perform(self.value, context)


class LaunchConfiguration:
    def __init__(self, variable_name, *, default=None):
        self.variable_name, self.default = variable_name, default

    def perform(self, context):
        return context.launch_configurations[self.variable_name]


class PathJoinSubstitution:
    def __init__(self, substitutions):
        self.substitutions = substitutions

    def perform(self, context):
        return os.path.join(*(perform(part, context) for part in self.substitutions))


class FindPackageShare:
    def __init__(self, package):
        self.package = package

    def perform(self, context):
        assert self.package == "fcis_ros"
        return str(SHARE)


class ParameterValue:
    def __init__(self, value, *, value_type=None, description=None):
        self.value, self.value_type = value, value_type

    def evaluate(self, context):
        text = perform(self.value, context)
        return {"true": True, "false": False}[text.lower()] if self.value_type is bool else self.value_type(text)


class Node:
    def __init__(
        self, *, executable, package, name=None, namespace=None, parameters=None, remappings=None, arguments=None,
        condition=None, output="log",
    ):  # fmt: skip
        self.node_executable, self.node_package, self.node_name, self.namespace = executable, package, name, namespace
        self.parameters, self.remappings, self.arguments = parameters or [], remappings or [], arguments or []
        self.condition, self.output = condition, output


MODULES = {
    "launch": [LaunchContext, LaunchDescription, Condition],
    "launch.actions": [DeclareLaunchArgument, SetEnvironmentVariable],
    "launch.conditions": [IfCondition, UnlessCondition],
    "launch.substitutions": [LaunchConfiguration, PathJoinSubstitution],
    "launch_ros": [],
    "launch_ros.actions": [Node],
    "launch_ros.parameter_descriptions": [ParameterValue],
    "launch_ros.substitutions": [FindPackageShare],
}


def install(monkeypatch) -> None:
    """For one test, ``import launch`` finds these."""
    for name, members in MODULES.items():
        module = ModuleType(name)
        for member in members:
            setattr(module, member.__name__, member)
        monkeypatch.setitem(sys.modules, name, module)
