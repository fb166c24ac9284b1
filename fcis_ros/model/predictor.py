# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""From an RGB array to instances: the public Python API."""

import copy
from collections.abc import Hashable, Sequence
from pathlib import Path

import numpy as np
import torch

from fcis_ros.config import ModelConfig
from fcis_ros.image_checks import check_image
from fcis_ros.model import checkpoint
from fcis_ros.model.convolution import fold_batch_norm
from fcis_ros.model.device import choose_device
from fcis_ros.model.fcis import FCIS
from fcis_ros.model.frame_graph import FrameGraphs
from fcis_ros.model.packing import PaddedInstances, to_instances
from fcis_ros.model.precision import DTYPES, cast, choose_precision, convolving
from fcis_ros.model.preprocess import preprocess
from fcis_ros.model.stage_clock import stage, timed_stages
from fcis_ros.structures import Instances, Prediction


class Predictor:
    """Finds instances in images.

    Attributes:
        model: the network, prepared for the device: BatchNorm folded, convolutions in the precision.
        config: configuration of the network.
        name: name of the model, the checkpoint's file name without its ending.
        device: device that computes.
        precision: precision of the convolutions: ``fp32``, ``tf32``, ``bf16`` or ``fp16``.
        graphs: CUDA graphs of the frames; None on a CPU.
    """

    def __init__(self, model: FCIS, name: str, device: torch.device, precision: str = "fp32"):
        """Prepares a copy of a network; the network itself stays as it is.

        Args:
            model: the network to predict with.
            name: name of the model.
            device: device that computes.
            precision: precision of the convolutions, or ``auto``.

        Raises:
            InputError: the device does not have the precision.
        """
        self._prepare(copy.deepcopy(model), name, device, precision)

    def _prepare(self, model: FCIS, name: str, device: torch.device, precision: str) -> None:
        """Changes the network in place."""
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
            threads: number of CPU threads of PyTorch in this process; None leaves its setting alone.
            precision: precision of the convolutions: ``fp32``, ``tf32``, ``bf16``, ``fp16``, or ``auto``, which follows from
                the device (the table in ``model/device.py``).

        Raises:
            InputError: the file is missing, damaged or of another version, or the device or precision is not available.
        """
        chosen = choose_device(device)
        precision = choose_precision(precision, chosen)
        if threads is not None:
            torch.set_num_threads(threads)
        path = Path(path) if path else checkpoint.default_checkpoint()
        predictor = cls.__new__(cls)  # not through the constructor: nothing else uses the loaded network, so it is not copied
        predictor._prepare(checkpoint.load(path), path.stem, chosen, precision)
        return predictor

    def example(self) -> np.ndarray:
        """Returns a black image that the network takes, for a first computation."""
        return np.zeros((self.config.short_side, self.config.short_side, 3), np.uint8)

    def __call__(self, image: np.ndarray, score_floor: float = 0.0) -> Instances:
        """Finds the instances in one image.

        Args:
            image: [H, W, 3] uint8, RGB, each side at least 2 pixels.
            score_floor: minimum score, 0 to 1; instances below it are left out before their masks are computed.

        Returns:
            Instances with full-resolution masks, best score first.

        Raises:
            InputError: the image is not such an array.
        """
        return self.predict([image], score_floor)[0].instances

    def predict(self, images: Sequence[np.ndarray], score_floor: float = 0.0) -> list[Prediction]:
        """Finds the instances in several images, for instance those of several cameras.

        Images that have the same size once they are resized go through the convolutions as one batch, which takes as much more
        memory; how many are given at once is the caller's choice. The answers are those of the images one by one up to the
        rounding of the convolutions, for which PyTorch may choose another algorithm when it gets a batch.

        Args:
            images: images, each as for ``__call__``.
            score_floor: minimum score, as for ``__call__``.

        Returns:
            One prediction per image, in their order.

        Raises:
            InputError: one of the images is not such an array; nothing is computed then.
        """
        for image in images:
            check_image(image)
        padded: dict[int, PaddedInstances] = {}
        in_graphs: dict[str, float] = {}
        with timed_stages(self.device) as clock:
            try:
                if self.graphs is not None:
                    for batch in _groups({index: image.shape for index, image in enumerate(images)}):
                        if (answer := self.graphs.find([images[index] for index in batch], score_floor)) is not None:
                            padded |= zip(batch, answer[0], strict=True)
                            clock.end("frame")
                            _add(in_graphs, answer[1])
                padded |= self._compute({i: image for i, image in enumerate(images) if i not in padded}, score_floor)
            except torch.cuda.OutOfMemoryError:
                if self.graphs is not None:
                    self.graphs.shrink()  # these images are lost; the next ones shall have the memory
                raise
            with stage("download"):
                names = self.config.class_names
                sizes = [(image.shape[0], image.shape[1]) for image in images]
                instances = [to_instances(padded[index], *size, names) for index, size in enumerate(sizes)]
        taken = clock.stage_ms()
        if in_graphs:  # what is left of the frame: upload, launch, packing
            taken["frame"] = max(taken["frame"] - sum(in_graphs.values()), 0.0)
            _add(taken, in_graphs)
        stage_ms = {name: total / max(len(images), 1) for name, total in taken.items()}
        return [Prediction(result, stage_ms, int(padded[index].ignored)) for index, result in enumerate(instances)]

    def _compute(self, images: dict[int, np.ndarray], score_floor: float) -> dict[int, PaddedInstances]:
        """Returns the instances of each image, on the host; images of one size once they are resized are one batch."""
        if not images:
            return {}
        with stage("preprocess"):
            inputs = {index: preprocess(image, self.config, self.device) for index, image in images.items()}
        padded: dict[int, PaddedInstances] = {}
        for batch in _groups({index: tensor.shape for index, (tensor, _) in inputs.items()}):
            tensors = [inputs[index][0].to(DTYPES[self.precision]) for index in batch]
            originals = [inputs[index][1] for index in batch]
            with convolving(self.precision):
                together = torch.cat(tensors) if len(tensors) > 1 else tensors[0]
                padded |= zip(batch, self.model(together, originals, score_floor), strict=True)
        return padded


def _add(times: dict[str, float], others: dict[str, float]) -> None:
    """Adds the times of stages, in place."""
    for name, milliseconds in others.items():
        times[name] = times.get(name, 0.0) + milliseconds


def _groups(shapes: dict[int, Hashable]) -> list[list[int]]:
    """Returns the indices of equal shapes together, in the order of their first ones."""
    groups: dict[Hashable, list[int]] = {}
    for index, shape in shapes.items():
        groups.setdefault(shape, []).append(index)
    return list(groups.values())
