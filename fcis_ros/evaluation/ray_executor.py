# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Numbered parts of any work, done by the workers of a Ray cluster."""

import contextlib
import logging
import os
import signal
from collections.abc import Callable, Iterator

import ray

from fcis_ros.errors import InputError
from fcis_ros.omp import limit_spinning

RETRIES = 3  # for a part whose worker died
MAX_REASON = 300  # characters


@contextlib.contextmanager
def connected(address: str) -> Iterator[None]:
    """Connects to a Ray cluster, or starts one with the cores and GPUs of this machine until the end of the block.

    Args:
        address: ``ray`` for the cluster of RAY_ADDRESS or of ``ray start`` on this machine, or a new one without these;
            ``ray://HOST:PORT`` for the cluster of this client server.

    Raises:
        InputError: there is no cluster at the address, or it cannot be used.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray sends usage statistics by default
    handler = signal.getsignal(signal.SIGTERM)  # Ray replaces it
    try:
        ray.init(
            None if address == "ray" else address, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR
        )
    except (ConnectionError, RuntimeError, ValueError, ImportError) as error:
        named = os.environ.get("RAY_ADDRESS", "the last cluster started on this machine (`ray stop` removes it)")
        where = named if address == "ray" else address
        raise InputError(f"{where}: no usable Ray cluster ({_line(str(error))})") from None
    finally:
        signal.signal(signal.SIGTERM, handler)
    try:
        yield
    finally:
        ray.shutdown()


def gpus() -> int:
    """Returns the number of GPUs of the cluster."""
    return int(ray.cluster_resources().get("GPU", 0))


def slots(cpus: int, gpu: bool) -> int:
    """Returns the number of parts that the cluster can do at once.

    Args:
        cpus: number of CPUs of a part.
        gpu: whether a part also uses a GPU.

    Raises:
        InputError: the cluster cannot do a single part.
    """
    room = int(ray.cluster_resources().get("CPU", 0)) // cpus
    room = min(room, gpus()) if gpu else room
    if not room:
        raise InputError(f"a part takes {cpus} CPUs{' and a GPU' * gpu}, which the Ray cluster does not have")
    return room


def map_parts(work: Callable[[int], None], count: int, cpus: int, gpu: bool, done: Callable[[int], None]) -> dict[int, str]:
    """Does all parts.

    A part whose worker dies is repeated by another worker, up to ``RETRIES`` times, so ``work`` must resume or start over.
    Workers run it in the folder of this process, which all machines must share.

    Args:
        work: function that does the part of a number, from 1; pickled by its name, so every machine needs its module.
        count: number of parts.
        cpus: number of CPUs of a part.
        gpu: whether a part also uses a GPU.
        done: function called with the number of every part that has ended, successful or not.

    Returns:
        {number of an unfinished part: reason}.
    """
    task = ray.remote(num_cpus=cpus, num_gpus=int(gpu), max_retries=RETRIES)(_on_worker)
    waiting = {task.remote(work, number, os.getcwd()): number for number in range(1, count + 1)}
    reasons: dict[int, str] = {}
    while waiting:
        ended, _ = ray.wait(list(waiting))
        for reference in ended:
            number = waiting.pop(reference)
            try:
                problem = ray.get(reference)
            except ray.exceptions.RayTaskError as error:  # a defect; its traceback ends with the error
                problem = _line(str(error).strip().splitlines()[-1])
            except ray.exceptions.RayError as error:
                problem = _line(str(error))
            if problem is not None:
                reasons[number] = problem
            done(number)
    return reasons


def _on_worker(work: Callable[[int], None], number: int, folder: str) -> str | None:
    """Does a part; returns the problem, or None."""
    limit_spinning()
    try:
        os.chdir(folder)
    except OSError as error:
        return f"{folder}: cannot be used on a worker ({error.strerror}); all machines must share this folder"
    try:
        work(number)
    except InputError as error:
        return str(error)
    return None


def _line(text: str) -> str:
    return " ".join(text.split())[:MAX_REASON]
