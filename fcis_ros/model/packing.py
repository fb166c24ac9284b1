# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The instances of an image in tensors whose sizes are known before, and their way from the device to the host."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fcis_ros.structures import Instances

PACKED_RUNS = 6144  # run lengths that come with everything else in one copy: 24 kB, those of some 40 masks


@dataclass(frozen=True)
class PaddedInstances:
    """The instances of one image, best first; W is always ``max_instances``.

    Attributes:
        scores: [W] float32.
        labels: [W] int32; -1 behind the last.
        boxes: [W, 4] int32 tight half-open boxes in the original image; zeros where there is no mask.
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


def pack(found: Sequence[PaddedInstances]) -> Tensor:
    """Everything of N images but what exceeds ``PACKED_RUNS`` run lengths, as [N, P] int32, to be copied at once."""
    rows = []
    for image in found:
        small = [part.reshape(-1).view(torch.int32) for part in _small(image)]
        head = image.runs[:PACKED_RUNS]
        rows.append(torch.cat([*small, torch.nn.functional.pad(head, (0, PACKED_RUNS - len(head)))]))
    return torch.stack(rows)


def unpack(packed: Tensor, found: Sequence[PaddedInstances]) -> list[PaddedInstances]:
    """What ``pack`` made, on the host, back to instances there; run lengths are as many as are used.

    Args:
        packed: [N, P], on the host.
        found: what was packed; only the further run lengths of an image with more of them are read.
    """
    images = []
    for row, image in zip(packed, found, strict=True):
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
    """Leaves out what got no mask; ``padded`` on the host."""
    boxes, ends = padded.boxes.numpy(), padded.ends.numpy()
    runs = np.split(padded.runs.numpy().astype(np.uint32), ends[:-1])
    keep = np.flatnonzero((boxes[:, 2] > boxes[:, 0]) & (padded.labels.numpy() > 0))
    return Instances(
        height,
        width,
        boxes[keep],
        padded.scores.numpy()[keep],
        padded.labels.numpy()[keep].astype(np.int64),
        tuple(runs[i] for i in keep),
        class_names,
    )
