# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""A node with the parameters of a table, which says which of the given ones have no effect."""

import difflib
import sys
from array import array
from collections.abc import Sequence
from typing import Any

from rcl_interfaces.msg import SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter as Given

from fcis_ros.errors import InputError
from fcis_ros.ros import params_file
from fcis_ros.ros.params import Parameter, check_choice, descriptor

NONE = [""]  # an empty list of names: ROS has no type for []


class ParameterNode(Node):
    """A node that declares its parameters by ``declare``."""

    def declare(self, rows: Sequence[Parameter]) -> dict[str, Any]:
        """Declares parameters; a warning names those that were given and do not exist, and files that are for other nodes.

        Args:
            rows: the parameters.

        Returns:
            {name: value}.

        Raises:
            InputError: a value given at the start has the wrong type or is out of range.
        """
        values = {row.name: self._declare(row) for row in rows}
        for name in self._parameter_overrides:
            if not self.has_parameter(name):
                near = difflib.get_close_matches(name, values, 1, 0.7)
                meant = f"; did you mean {near[0]}?" if near else ""
                self.get_logger().warning(f"parameter {name} does not exist and has no effect{meant}")
        for path in params_file.given_files(sys.argv):
            try:
                params_file.parameters_for(path, self.get_fully_qualified_name())
            except InputError as error:
                self.get_logger().warning(f"{error} (it has no effect)")
        return values

    def _declare(self, row: Parameter) -> Any:
        given = self._parameter_overrides.get(row.name)
        empty = isinstance(row.default, list) and given is not None and given.type_ == Given.Type.NOT_SET
        try:
            value = self.declare_parameter(
                row.name, NONE if empty else row.default, descriptor(row), ignore_override=empty
            ).value
        except Exception as error:  # noqa: BLE001 (rclpy has one exception per kind of mistake, differing by distribution)
            raise InputError(f"parameter {row.name}: {' '.join(str(error).split())}") from None
        check_choice(row, value)
        return value

    def set_parameters_atomically(self, parameter_list: list[Given]) -> SetParametersResult:
        """As rclpy's, but a read-only parameter may be set to the value that it has, and a list to an empty one of any type."""
        changes = []
        for given in parameter_list:
            if self.has_parameter(given.name):
                present = self.get_parameter(given.name)
                if isinstance(present.value, list) and isinstance(given.value, (list, array)) and not given.value:
                    given = Given(given.name, present.type_, NONE)
                same = (given.type_, given.value) == (present.type_, present.value)
                if same and self.describe_parameter(given.name).read_only:
                    continue
            changes.append(given)
        return super().set_parameters_atomically(changes) if changes else SetParametersResult(successful=True)
