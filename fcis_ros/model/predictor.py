"""From an RGB array to instances: the public Python API."""

import warnings
from pathlib import Path

import numpy as np
import torch

from fcis_ros.config import ModelConfig
from fcis_ros.errors import InputError
from fcis_ros.images import check_image
from fcis_ros.model import checkpoint
from fcis_ros.model.backbone import fold_batch_norm
from fcis_ros.model.fcis import FCIS
from fcis_ros.model.precision import DTYPES, cast, fastest
from fcis_ros.model.preprocess import preprocess
from fcis_ros.model.stage_clock import StageClock
from fcis_ros.ops import library
from fcis_ros.structures import Instances


def choose_device(name: str) -> torch.device:
    """``auto``, ``cpu``, ``cuda`` or ``cuda:N`` -> a device that exists and that the operators were built for.

    ``auto`` warns where there is a CUDA device but the operators were built without nvcc and so without CUDA.

    Raises:
        InputError: a CUDA device was asked for by name and cannot be used; there is no silent fall-back to the CPU.
    """
    without = f"the operators were built without CUDA; with nvcc installed, build them again: {library.BUILD}"
    if name == "auto":
        if torch.cuda.is_available() and not library.has_cuda():
            warnings.warn(f"a CUDA device is there but not used: {without}", stacklevel=2)
        return torch.device("cuda" if torch.cuda.is_available() and library.has_cuda() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise InputError(f"device {name!r}: expected auto, cpu, cuda or cuda:N") from None
    if device.type not in ("cpu", "cuda"):
        raise InputError(f"device {name!r}: expected auto, cpu, cuda or cuda:N")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InputError(f"device {name!r}: not available, PyTorch sees {torch.cuda.device_count()} CUDA devices")
    if device.type == "cuda" and not library.has_cuda():
        raise InputError(f"device {name!r}: {without}")
    return device


class Predictor:
    """Finds instances in images, one image at a time.

    Attributes:
        model: the network, as it was prepared for the device.
        config: its configuration.
        name: the model's name, the checkpoint's file name without its ending.
        device: where it computes.
        precision: of the convolutions: ``fp32``, ``bf16`` or ``fp16``.
        stage_ms: milliseconds each stage of the last call took on the device, in order.
    """

    def __init__(self, model: FCIS, name: str, device: torch.device, precision: str = "fp32"):
        fold_batch_norm(model)
        self.model = model.eval().to(device, memory_format=torch.channels_last)
        if precision == "auto":
            frame = np.zeros((model.config.short_side, model.config.max_side, 3), dtype=np.uint8)
            sample = preprocess(frame, model.config, device)[0]
            precision = fastest(model.backbone, sample)
        cast(self.model, precision)
        self.config: ModelConfig = model.config
        self.name = name
        self.device = device
        self.precision = precision
        self.stage_ms: dict[str, float] = {}

    @classmethod
    def from_checkpoint(
        cls, path: str | Path | None = None, device: str = "auto", threads: int | None = None, precision: str = "auto"
    ) -> "Predictor":
        """Loads a checkpoint.

        Args:
            path: a ``.safetensors`` file of this project; None for the one that comes with the package.
            device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
            threads: CPU threads of PyTorch in this process; None leaves its setting alone.
            precision: of the convolutions: ``fp32``, ``bf16``, ``fp16``, or ``auto``, the fastest that the device has in
                hardware.

        Raises:
            InputError: the file is missing, damaged, of another version, or the device is not there.
        """
        chosen = choose_device(device)
        if threads is not None:
            torch.set_num_threads(threads)
        path = Path(path) if path else checkpoint.default_checkpoint()
        return cls(checkpoint.load(path), path.stem, chosen, precision)

    @property
    def ignored_rois(self) -> int:
        """ROIs of the last image that were left out because their box or scores were not finite; a healthy network has none."""
        return self.model.ignored_rois

    def __call__(self, image: np.ndarray, score_floor: float = 0.0) -> Instances:
        """Finds the instances in one image.

        Args:
            image: [H, W, 3] uint8, RGB, each side at least 2 pixels.
            score_floor: leave out instances below this score, and the work of making their masks.

        Returns:
            Instances with full-resolution masks, best score first.

        Raises:
            InputError: not such an array.
        """
        check_image(image)
        clock = StageClock(self.device)
        tensor, scale = preprocess(image, self.config, self.device)
        tensor = tensor.to(DTYPES[self.precision])
        clock.mark("preprocess")
        instances = self.model(tensor, scale, image.shape[:2], score_floor, clock.mark)
        self.stage_ms = clock.stage_ms()
        return instances
