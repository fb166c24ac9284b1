# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Python programs without the seconds that importing PyTorch and rclpy takes: forks of a process that has imported them.

They have the environment, the arguments and the signals that they are given. How an interpreter starts and ends, ``atexit``
included, only a new one shows, and none of them can start others by ``multiprocessing``.
"""

import ctypes
import multiprocessing
import os
import runpy
import signal
import sys
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path

_CONTEXT = multiprocessing.get_context("forkserver")
# Of the threads that these start, OpenBLAS's come again after a fork, and no test needs LTTng's.
_CONTEXT.set_forkserver_preload(
    [
        "torch",
        "cv2",
        "fcis_ros.model.exported",
        "fcis_ros.ros.inference_worker",
        "fcis_ros.ros.fcis_node",
        "fcis_ros.ros.camera_source",
    ]
)
PR_SET_PDEATHSIG = 1


def start_server() -> None:
    """Starts the process to fork from, which imports with the environment of this moment; returns without waiting for it."""
    forkserver.ensure_running()


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
    # It ends with the server, and the server with the process of pytest, however that ends: this descriptor would keep it.
    os.close(forkserver._forkserver._forkserver_alive_fd)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for standard in (1, 2):
        os.dup2(output, standard)
    if new_interpreter:
        os.execve(command[0], command, environment)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = command
    sys.path.insert(0, str(Path(command[0]).parent))
    runpy.run_path(command[0], run_name="__main__")
