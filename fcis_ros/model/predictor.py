# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""From an RGB array to instances: the public Python API."""

from collections.abc import Hashable, Sequence
from pathlib import Path

import numpy as np
import torch

from fcis_ros.config import ModelConfig
from fcis_ros.image_checks import check_image
from fcis_ros.model import checkpoint
from fcis_ros.model.backbone import fold_batch_norm
from fcis_ros.model.device import choose_device
from fcis_ros.model.fcis import FCIS, Mark
from fcis_ros.model.frame_graph import FrameGraphs
from fcis_ros.model.packing import PaddedInstances, to_instances
from fcis_ros.model.precision import DTYPES, cast, choose_precision, convolving
from fcis_ros.model.preprocess import preprocess
from fcis_ros.model.stage_clock import StageClock
from fcis_ros.structures import Instances, Prediction


class Predictor:
    """Finds instances in images.

    Attributes:
        model: the network, as it was prepared for the device.
        config: its configuration.
        name: the model's name, the checkpoint's file name without its ending.
        device: where it computes.
        precision: of the convolutions: ``fp32``, ``tf32``, ``bf16`` or ``fp16``.
        graphs: of the frames on a GPU; None on a CPU.
    """

    def __init__(self, model: FCIS, name: str, device: torch.device, precision: str = "fp32"):
        self.precision = choose_precision(precision, device)
        fold_batch_norm(model)
        self.model = model.eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload] # not in its stub
        cast(self.model, self.precision)
        self.config: ModelConfig = model.config
        self.name = name
        self.device = device
        self.graphs = FrameGraphs(self.model, self.precision, device) if device.type == "cuda" else None

    @classmethod
    def from_checkpoint(
        cls, path: str | Path | None = None, device: str = "auto", threads: int | None = None, precision: str = "auto"
    ) -> "Predictor":
        """Loads a checkpoint.

        Args:
            path: a ``.safetensors`` file of this project; None for the one that comes with the package.
            device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
            threads: CPU threads of PyTorch in this process; None leaves its setting alone.
            precision: of the convolutions: ``fp32``, ``tf32``, ``bf16``, ``fp16``, or ``auto``, which follows from the device
                (the table in ``model/device.py``).

        Raises:
            InputError: the file is missing, damaged, of another version, or device or precision are not there.
        """
        chosen = choose_device(device)
        precision = choose_precision(precision, chosen)
        if threads is not None:
            torch.set_num_threads(threads)
        path = Path(path) if path else checkpoint.default_checkpoint()
        return cls(checkpoint.load(path), path.stem, chosen, precision)

    def example(self) -> np.ndarray:
        """A black image that the network takes, to compute a first time with."""
        return np.zeros((self.config.short_side, self.config.short_side, 3), np.uint8)

    def __call__(self, image: np.ndarray, score_floor: float = 0.0) -> Instances:
        """Finds the instances in one image: ``predict`` for those who want nothing else.

        Args:
            image: [H, W, 3] uint8, RGB, each side at least 2 pixels.
            score_floor: leave out instances below this score, and the work of making their masks.

        Returns:
            Instances with full-resolution masks, best score first.

        Raises:
            InputError: not such an array.
        """
        return self.predict([image], score_floor)[0].instances

    def predict(self, images: Sequence[np.ndarray], score_floor: float = 0.0) -> list[Prediction]:
        """Finds the instances in several images, those of several cameras for instance.

        Images that have the same size once they are resized go through the convolutions as one batch, which takes as much more
        memory; how many are given at once is the caller's choice. The answers are those of the images one by one up to the
        rounding of the convolutions, for which PyTorch may choose another algorithm when it gets a batch.

        Args:
            images: each as for ``__call__``.
            score_floor: as for ``__call__``.

        Returns:
            One prediction per image, in their order.

        Raises:
            InputError: one of them is not such an array; nothing is computed then.
        """
        for image in images:
            check_image(image)
        clock = StageClock(self.device)
        found: dict[int, PaddedInstances] = {}
        in_graphs: dict[str, float] = {}
        try:
            if self.graphs is not None:
                for batch in _alike([image.shape for image in images]):
                    if (captured := self.graphs.find([images[index] for index in batch], score_floor)) is not None:
                        found |= zip(batch, captured.found, strict=True)
                        clock.mark("frame")
                        _add(in_graphs, captured.stage_ms)
            found |= self._compute({i: image for i, image in enumerate(images) if i not in found}, score_floor, clock.mark)
        except torch.cuda.OutOfMemoryError:
            if self.graphs is not None:
                self.graphs.shrink()  # these images are lost; the next ones shall have the memory
            raise
        instances = [
            to_instances(found[i], image.shape[0], image.shape[1], self.config.class_names) for i, image in enumerate(images)
        ]
        clock.mark("download")
        taken = clock.stage_ms()
        if in_graphs:  # what is left of the frame: upload, launch, packing
            taken["frame"] = max(taken["frame"] - sum(in_graphs.values()), 0.0)
            _add(taken, in_graphs)
        stage_ms = {stage: total / max(len(images), 1) for stage, total in taken.items()}
        return [Prediction(own, stage_ms, int(found[index].ignored)) for index, own in enumerate(instances)]

    def _compute(self, images: dict[int, np.ndarray], score_floor: float, mark: Mark) -> dict[int, PaddedInstances]:
        """The instances of each image, on the host; those that are alike once they are resized go through as one batch."""
        if not images:
            return {}
        inputs = {index: preprocess(image, self.config, self.device) for index, image in images.items()}
        mark("preprocess")
        numbers = list(inputs)
        found: dict[int, PaddedInstances] = {}
        for places in _alike([tensor.shape for tensor, _ in inputs.values()]):
            batch = [numbers[place] for place in places]
            tensors = [inputs[index][0].to(DTYPES[self.precision]) for index in batch]
            originals = [inputs[index][1] for index in batch]
            with convolving(self.precision):
                together = torch.cat(tensors) if len(tensors) > 1 else tensors[0]
                found |= zip(batch, self.model(together, originals, score_floor, mark), strict=True)
        return found


def _add(times: dict[str, float], others: dict[str, float]) -> None:
    """Adds the times of stages, in place."""
    for stage, own in others.items():
        times[stage] = times.get(stage, 0.0) + own


def _alike(shapes: Sequence[Hashable]) -> list[list[int]]:
    """Places of equal entries, in the order in which each first comes."""
    groups: dict[Hashable, list[int]] = {}
    for place, shape in enumerate(shapes):
        groups.setdefault(shape, []).append(place)
    return list(groups.values())
