# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""A GPU's frame as one CUDA graph: from the images' bytes to packed instances, launched at once instead of some 400 times."""

import warnings
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fcis_ros import ops
from fcis_ros.model.fcis import FCIS
from fcis_ros.model.packing import PaddedInstances, pack, unpack
from fcis_ros.model.precision import DTYPES, convolving
from fcis_ros.model.preprocess import Original, resize_scale
from fcis_ros.model.stage_clock import StageClock, stage, timed_stages

LIMIT = 8  # graphs that are kept: a camera's size, alone and in batches of two to eight
KNOWN = 64  # shapes that are remembered to have come once

Replay = Callable[[], None]
Shape = tuple[int, int, int, float]  # what a graph is captured for: number of images, height, width, minimum score
# The instances of every image, on the host, and milliseconds of each stage on the device, for all images together; the latter
# empty where PyTorch cannot tell.
Answer = tuple[list[PaddedInstances], dict[str, float]]


@dataclass(frozen=True)
class GraphOutputs:
    """Results of one call of a graph's computation; a replay of a captured call writes into the same memory.

    Attributes:
        packed: [N, P] int32, the packed instances of N images, on the device.
        instances: the N images' instances, on the device.
        clock: the times of the call's stages; of a captured call, those of its last replay.
    """

    packed: Tensor
    instances: list[PaddedInstances]
    clock: StageClock


Compute = Callable[[], GraphOutputs]
Capture = Callable[[Compute, torch.device], tuple[Replay, GraphOutputs]]


def capture(compute: Compute, device: torch.device) -> tuple[Replay, GraphOutputs]:
    """Captures the kernels that ``compute`` launches; it runs a few times before, as libraries choose their algorithms.

    Other threads may use the device meanwhile, but must not wait for all of its work.

    Returns:
        The function that replays the graph, and the outputs of the captured call.
    """
    with torch.cuda.device(device):
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                compute()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            result = compute()
    return graph.replay, result


class FrameGraph:
    """One captured shape with the memory of its images and results."""

    def __init__(self, model: FCIS, precision: str, device: torch.device, shape: Shape, capture: Capture):
        count, height, width, self._score_floor = shape
        self._model, self._dtype = model, DTYPES[precision]
        self._original = Original(height, width, resize_scale(height, width, model.config))
        size = (count, height * width * 3)
        self._host = torch.zeros(size, dtype=torch.uint8, pin_memory=device.type == "cuda")
        self._bytes = torch.zeros(size, dtype=torch.uint8, device=device)
        with convolving(precision):
            self._replay, self._outputs = capture(self._compute, device)
        self._packed_host = torch.empty(self._outputs.packed.shape, dtype=torch.int32, pin_memory=device.type == "cuda")

    def _compute(self) -> GraphOutputs:
        config, original = self._model.config, self._original
        layout = ("rgb8", original.height, original.width, 3 * original.width, original.scale, config.mean, config.std)
        with timed_stages(self._bytes.device, captured=True) as clock:
            with stage("preprocess"):
                images = torch.cat([ops.network_input(data, *layout, self._dtype) for data in self._bytes])
            maps = self._model.dense(images)
            instances = self._model.detect_all(maps, [original] * len(images), self._score_floor)
        return GraphOutputs(pack(instances), instances, clock)

    def __call__(self, images: Sequence[np.ndarray]) -> Answer | None:
        """Returns the instances of images [H, W, 3] uint8; None where one of them has more run lengths than there is room.

        Waits for the device once.
        """
        for row, image in zip(self._host.numpy(), images, strict=True):
            row.reshape(image.shape)[:] = image
        self._bytes.copy_(self._host, non_blocking=True)
        self._replay()
        packed, on_device = self._outputs.packed, self._outputs.instances
        self._packed_host.copy_(packed, non_blocking=True)
        if packed.is_cuda:
            torch.cuda.current_stream(packed.device).synchronize()
        instances = unpack(self._packed_host.clone(), on_device)
        return None if any(image.truncated for image in instances) else (instances, self._outputs.clock.stage_ms())


class FrameGraphs:
    """The graphs of a predictor, one for each shape that comes again, the least recently used given up first.

    Attributes:
        why_not: reason why nothing is captured any more; empty while something can be.
    """

    def __init__(self, model: FCIS, precision: str, device: torch.device, capture: Capture = capture):
        self._model, self._precision, self._device, self._capture = model, precision, device, capture
        self._graphs: OrderedDict[Shape, FrameGraph] = OrderedDict()
        self._known: OrderedDict[Shape, None] = OrderedDict()
        self._limit = LIMIT
        voting = model.config.voting
        self.why_not = "" if voting == "released" else f"voting: {voting} waits for the number of votes"

    @torch.inference_mode()
    def find(self, images: Sequence[np.ndarray], score_floor: float) -> Answer | None:
        """Returns the instances of images of one size; None where they have to be computed without a graph.

        That is so when a batch comes for the first time, nothing can be captured, or masks exceed the room for run lengths.
        """
        shape = (len(images), *images[0].shape[:2], score_floor)
        if (graph := self._graphs.get(shape)) is not None:
            self._graphs.move_to_end(shape)
            return graph(images)
        if self.why_not or not self._came_before(shape):
            return None
        while len(self._graphs) >= self._limit:
            self._graphs.popitem(last=False)
        try:
            graph = FrameGraph(self._model, self._precision, self._device, shape, self._capture)
        except torch.cuda.OutOfMemoryError:
            self.shrink()
            return None
        except RuntimeError as error:
            self.clear()
            self.why_not = f"a frame cannot be captured ({str(error).splitlines()[0]})"
            warnings.warn(f"no CUDA graphs, frames take longer: {self.why_not}", stacklevel=2)
            return None
        self._graphs[shape] = graph
        return graph(images)

    def _came_before(self, shape: Shape) -> bool:
        known = shape in self._known
        self._known[shape] = None
        self._known.move_to_end(shape)
        if len(self._known) > KNOWN:
            self._known.popitem(last=False)
        return known

    def shrink(self) -> None:
        """Gives up all graphs after the device ran out of memory, and keeps at most half as many from now on."""
        self._limit = max(min(self._limit, len(self._graphs)) // 2, 1)
        self.clear()
        self._known.clear()

    def clear(self) -> None:
        """Frees all graphs and their memory."""
        self._graphs.clear()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
