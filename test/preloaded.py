# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Python programs without the seconds that importing PyTorch and rclpy takes: forks of a process that has imported them.

Each is a process like any other, with the environment, arguments and signals that it is given, from the first line of its file
on. What comes before that line, and how an interpreter ends after the last, only a new interpreter shows.
"""

import multiprocessing
import os
import runpy
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path

_CONTEXT = multiprocessing.get_context("forkserver")
# None of these starts a thread when it is imported.
_CONTEXT.set_forkserver_preload(
    ["torch", "cv2", "fcis_ros.model.exported", "fcis_ros.ros.engine", "fcis_ros.ros.fcis_node", "fcis_ros.ros.camera_source"]
)


def start(command: list[str], log: Path, new_interpreter: bool = False) -> BaseProcess:
    """Starts a Python file.

    Args:
        command: path of the file and its arguments.
        log: file for the standard output and the standard error.
        new_interpreter: whether the file is executed, as a user would start it, instead of run by what is preloaded.
    """
    arguments = (command, dict(os.environ), str(log), new_interpreter)
    process = _CONTEXT.Process(target=_run, args=arguments, daemon=True)
    process.start()
    return process


def _run(command: list[str], environment: dict[str, str], log: str, new_interpreter: bool) -> None:
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for standard in (1, 2):
        os.dup2(output, standard)
    if new_interpreter:
        os.execve(command[0], command, environment)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = command
    runpy.run_path(command[0], run_name="__main__")
