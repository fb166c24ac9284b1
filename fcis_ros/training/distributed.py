# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Data-parallel training by several processes, started by ``torchrun``.

Every process has the whole model and an equal share of each step's images. Gradients are summed, so that all make the same
step. Only rank 0 writes files.
"""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from fcis_ros.errors import InputError

SETTLE = 0.2  # seconds before the group is destroyed, see Processes.leave
PATIENCE = timedelta(days=1)  # processes wait while another one reads or evaluates; gloo's default is half an hour

T = TypeVar("T")


@dataclass(frozen=True)
class Processes:
    """The processes of a run.

    Attributes:
        rank: number of this process, from 0.
        count: number of processes.
        objects: group that exchanges Python objects over gloo, also where gradients go over NCCL; None for a single process.
    """

    rank: int = 0
    count: int = 1
    objects: dist.ProcessGroup | None = None

    @property
    def first(self) -> bool:
        """Whether this process writes files and prints."""
        return self.rank == 0

    def share(self, items: Sequence) -> Sequence:
        """Returns every ``count``-th item from ``rank`` on; ``merge`` is the inverse."""
        return items[self.rank :: self.count]

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replaces float32 tensors, in place, by their sums over all processes, the same bits everywhere."""
        if self.count > 1 and tensors:
            flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
            dist.all_reduce(flat)
            for tensor, part in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
                tensor.copy_(part.view_as(tensor))

    def merge(self, part: list[Any]) -> list[Any] | None:
        """Returns the parts of all processes in the order before ``share`` in the first process; None in the others."""
        if self.count == 1:
            return part
        parts: list[Any] | None = [None] * self.count if self.first else None
        dist.gather_object(part, parts, group=self.objects)
        return None if parts is None else [parts[i % self.count][i // self.count] for i in range(sum(map(len, parts)))]

    def from_first(self, compute: Callable[[], T]) -> T:
        """Computes in the first process and returns the result in all; an InputError is raised in all, too."""
        if self.count == 1:
            return compute()
        result: list[Any] = [None]
        if self.first:
            try:
                result = [compute()]
            except InputError as error:
                result = [error]
        dist.broadcast_object_list(result, group=self.objects)
        if isinstance(result[0], InputError):
            raise result[0]
        return result[0]

    def leave(self) -> None:
        """Ends the communication without waiting for the other processes."""
        if self.count > 1:
            # A thread of gloo may still drop its last tensors, for which it needs the interpreter. PyTorch 2.4 ends a group
            # with the interpreter held until that thread is done: both would wait for ever.
            time.sleep(SETTLE)
            dist.destroy_process_group()


ALONE = Processes()


def join(device: torch.device) -> Processes:
    """Joins the processes that ``torchrun`` started, according to its environment variables; without them ``ALONE``."""
    if int(os.environ.get("WORLD_SIZE", 1)) == 1:
        return ALONE
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return Processes(dist.get_rank(), dist.get_world_size(), dist.new_group(backend="gloo", timeout=PATIENCE))


def local_device(name: str) -> str:
    """Returns the device for this process: under ``torchrun``, ``cuda`` and ``auto`` give every process a different GPU."""
    if name in ("auto", "cuda") and torch.cuda.is_available() and "LOCAL_RANK" in os.environ:
        return f"cuda:{os.environ['LOCAL_RANK']}"
    return name


def add_up_gradients(model: nn.Module, processes: Processes) -> None:
    """Replaces the gradients by their sums over all processes."""
    for parameter in model.parameters():
        if parameter.requires_grad and parameter.grad is None and processes.count > 1:
            parameter.grad = torch.zeros_like(parameter)
    processes.add_up([parameter.grad for parameter in model.parameters() if parameter.grad is not None])


def average_statistics(model: nn.Module, processes: Processes) -> None:
    """Replaces BatchNorm's running statistics by their means over all processes, each of which has seen different images."""
    if processes.count > 1:
        trained = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d) and module.training]
        both = [buffer for module in trained for buffer in (module.running_mean, module.running_var)]
        statistics = [buffer for buffer in both if buffer is not None]
        processes.add_up(statistics)
        for buffer in statistics:
            buffer.div_(processes.count)


def check_share(batch: int, accumulate: int, processes: Processes) -> None:
    """Raises an InputError if the images of a step cannot be divided equally."""
    if batch % (accumulate * processes.count):
        raise InputError(
            f"training config: a batch of {batch} images cannot be shared out equally to {processes.count} processes, "
            f"{accumulate} at a time"
        )
