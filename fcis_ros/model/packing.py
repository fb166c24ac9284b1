# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The instances of an image in tensors of fixed sizes, and their copy from the device to the host."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fcis_ros.structures import Instances

PACKED_RUNS = 6144  # run lengths that are copied with everything else: 24 kB, enough for some 40 masks


@dataclass(frozen=True)
class PaddedInstances:
    """The instances of one image, best first; W is always ``max_instances``.

    Attributes:
        scores: [W] float32.
        labels: [W] int32; -1 behind the last.
        boxes: [W, 4] int32 tight half-open boxes in the original image; zeros for an empty mask.
        runs: [T] int32 run lengths of all masks; T is the capacity where one was given.
        ends: [W] int32, where each instance's runs end; beyond T where they did not fit.
        ignored: [1] int32, ROIs that were left out because their box or scores were not finite.
    """

    scores: Tensor
    labels: Tensor
    boxes: Tensor
    runs: Tensor
    ends: Tensor
    ignored: Tensor

    @property
    def truncated(self) -> bool:
        """Whether run lengths did not fit; for instances on the host."""
        return int(self.ends[-1]) > len(self.runs)


def pack(instances: Sequence[PaddedInstances]) -> Tensor:
    """Returns N images' instances as [N, P] int32, to be copied at once; run lengths beyond ``PACKED_RUNS`` are left out."""
    rows = []
    for image in instances:
        small = [part.reshape(-1).view(torch.int32) for part in _small(image)]
        head = image.runs[:PACKED_RUNS]
        rows.append(torch.cat([*small, torch.nn.functional.pad(head, (0, PACKED_RUNS - len(head)))]))
    return torch.stack(rows)


def to_host(instances: Sequence[PaddedInstances]) -> list[PaddedInstances]:
    """Returns the same instances on the host, after one copy, for which it waits."""
    return unpack(pack(instances).cpu(), instances)


def unpack(packed: Tensor, instances: Sequence[PaddedInstances]) -> list[PaddedInstances]:
    """Inverts ``pack`` on the host; the used run lengths remain.

    Args:
        packed: [N, P] int32, on the host.
        instances: the packed instances, on the device; read are only run lengths beyond ``PACKED_RUNS``.
    """
    images = []
    for row, image in zip(packed, instances, strict=True):
        small = _small(image)
        *parts, head = row.split([*(part.numel() for part in small), PACKED_RUNS])
        scores, labels, boxes, ends, ignored = (
            part.view(like.dtype).reshape(like.shape) for part, like in zip(parts, small, strict=True)
        )
        used = min(int(ends[-1]), len(image.runs))
        runs = head[:used] if used <= PACKED_RUNS else image.runs[:used].cpu()
        images.append(PaddedInstances(scores, labels, boxes, runs, ends, ignored))
    return images


def _small(image: PaddedInstances) -> tuple[Tensor, ...]:
    return image.scores, image.labels, image.boxes, image.ends, image.ignored


def to_instances(padded: PaddedInstances, height: int, width: int, class_names: tuple[str, ...]) -> Instances:
    """Returns the instances that have a mask; ``padded`` is on the host."""
    boxes, ends = padded.boxes.numpy(), padded.ends.numpy()
    runs = np.split(padded.runs.numpy().astype(np.uint32), ends[:-1])
    keep = np.flatnonzero((boxes[:, 2] > boxes[:, 0]) & (padded.labels.numpy() > 0))
    scores, labels = padded.scores.numpy()[keep], padded.labels.numpy()[keep].astype(np.int64)
    return Instances(height, width, boxes[keep], scores, labels, tuple(runs[i] for i in keep), class_names)
