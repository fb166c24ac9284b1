# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Work in numbered parts, done by the workers of a Ray cluster; knows Ray, and nothing of what the parts are."""

import contextlib
import logging
import os
import signal
from collections.abc import Callable, Iterator

import ray

from fcis_ros.errors import InputError
from fcis_ros.omp import limit_spinning

RETRIES = 3  # of a part whose worker died
REASON = 300  # characters


@contextlib.contextmanager
def connected(address: str) -> Iterator[None]:
    """Connects to a Ray cluster, or starts one of this machine's cores and GPUs, which ends with the block.

    Args:
        address: ``ray`` for the cluster that RAY_ADDRESS names or that ``ray start`` made this machine part of, else for one of
            its own; ``ray://HOST:PORT`` for the one whose client server that is.

    Raises:
        InputError: no cluster there, or one that cannot be used from here.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # else Ray tells its makers
    handler = signal.getsignal(signal.SIGTERM)  # Ray sets its own
    try:
        ray.init(
            None if address == "ray" else address, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR
        )
    except (ConnectionError, RuntimeError, ValueError, ImportError) as error:
        named = os.environ.get("RAY_ADDRESS", "the last that was started here (`ray stop` forgets it)")
        where = named if address == "ray" else address
        raise InputError(f"{where}: no Ray cluster that can be used from here ({_line(str(error))})") from None
    finally:
        signal.signal(signal.SIGTERM, handler)
    try:
        yield
    finally:
        ray.shutdown()


def gpus() -> int:
    """How many GPUs the cluster has."""
    return int(ray.cluster_resources().get("GPU", 0))


def slots(cpus: int, gpu: bool) -> int:
    """How many parts the cluster can do at once.

    Args:
        cpus: that a part takes.
        gpu: whether it takes a GPU, too.

    Raises:
        InputError: none.
    """
    room = int(ray.cluster_resources().get("CPU", 0)) // cpus
    room = min(room, gpus()) if gpu else room
    if not room:
        raise InputError(f"a part takes {cpus} CPUs{' and a GPU' * gpu}, which the Ray cluster does not have")
    return room


def map_parts(work: Callable[[int], None], count: int, cpus: int, gpu: bool, done: Callable[[int], None]) -> dict[int, str]:
    """Does all parts.

    A part whose worker dies is done again by another one, ``RETRIES`` times; so ``work`` must go on where it stopped, or begin
    anew. Workers run it in the folder of this process, which must be the same one on every machine.

    Args:
        work: does the part of a number, from 1; pickled by its name, so that its module must be installed on every machine.
        count: number of parts.
        cpus: that a part takes.
        gpu: whether it takes a GPU, too.
        done: called with the number of a part when it has ended, however it did.

    Returns:
        {number of a part that was not done: the reason}
    """
    task = ray.remote(num_cpus=cpus, num_gpus=int(gpu), max_retries=RETRIES)(_on_worker)
    waiting = {task.remote(work, number, os.getcwd()): number for number in range(1, count + 1)}
    reasons: dict[int, str] = {}
    while waiting:
        ended, _ = ray.wait(list(waiting))
        for own in ended:
            number = waiting.pop(own)
            try:
                problem = ray.get(own)
            except ray.exceptions.RayTaskError as error:  # a defect; its traceback ends with what it is
                problem = _line(str(error).strip().splitlines()[-1])
            except ray.exceptions.RayError as error:
                problem = _line(str(error))
            if problem is not None:
                reasons[number] = problem
            done(number)
    return reasons


def _on_worker(work: Callable[[int], None], number: int, folder: str) -> str | None:
    """Does a part; returns the problem if there is one."""
    limit_spinning()
    try:
        os.chdir(folder)
    except OSError as error:
        return f"{folder}: cannot be used on a worker ({error.strerror}); all machines must have this folder in common"
    try:
        work(number)
    except InputError as error:
        return str(error)
    return None


def _line(text: str) -> str:
    return " ".join(text.split())[:REASON]
