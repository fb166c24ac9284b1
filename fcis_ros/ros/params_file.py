# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Parameter files as rcl reads them: which sections they have, and which of them a node gets."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from fcis_ros.errors import InputError
from fcis_ros.findings import listing

PARAMETERS = "ros__parameters"


def read(path: str) -> dict[str, dict[str, Any]]:
    """Reads a file.

    Args:
        path: YAML file.

    Returns:
        {section: {parameter: value}}; a section is the full name of a node, in which ``/*`` stands for one part and ``/**`` for
        any number of them.

    Raises:
        InputError: the file cannot be read or is no parameter file.
    """
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not a text file") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if content is None:
        return {}
    found: dict[str, dict[str, Any]] = {}
    _collect(path, content, "", found)
    return found


def _collect(path: str, entries: Any, name: str, found: dict[str, dict[str, Any]]) -> None:
    if not isinstance(entries, dict):
        raise InputError(f"{path}: {name or 'the file'} has no section {PARAMETERS}")
    for key, value in entries.items():
        if key != PARAMETERS:
            _collect(path, value, f"{name}/{str(key).strip('/')}", found)
        elif isinstance(value, dict):
            found.setdefault(name, {}).update(value)
        elif value is not None:
            raise InputError(f"{path}: {PARAMETERS} of {name} are not names with values")


def matches(section: str, node: str) -> bool:
    """Returns whether a section is for a node.

    Args:
        section: key of ``read``.
        node: full name of the node.
    """
    pattern = re.escape(section).replace(r"/\*\*", r"(/\w+)*").replace(r"/\*", r"/\w+")
    return re.fullmatch(pattern, node) is not None


def parameters_for(path: str, node: str) -> dict[str, Any]:
    """Returns {parameter: value} of what a node gets from a file.

    Args:
        path: YAML file.
        node: full name of the node.

    Raises:
        InputError: as for ``read``, or no section is for this node.
    """
    sections = read(path)
    chosen = [values for section, values in sections.items() if matches(section, node)]
    if not chosen:
        has = f"it has {listing(sections)}" if sections else "it is empty"
        raise InputError(f"{path}: no section for {node}; {has}")
    return {name: value for values in chosen for name, value in values.items()}


def given_files(arguments: Sequence[str]) -> list[str]:
    """Returns the parameter files among the arguments of a process."""
    files, ros = [], False
    for word, following in zip(arguments, [*arguments[1:], ""], strict=False):
        if word in ("--ros-args", "--"):
            ros = word == "--ros-args"
        elif ros and word == "--params-file":
            files.append(following)
    return files
