"""From an RGB array to instances: the public Python API."""

from pathlib import Path

import numpy as np
import torch

from fcis_ros.config import ModelConfig
from fcis_ros.images import check_image
from fcis_ros.model import checkpoint
from fcis_ros.model.backbone import fold_batch_norm
from fcis_ros.model.fcis import FCIS
from fcis_ros.model.hardware import choose_device
from fcis_ros.model.precision import DTYPES, cast, choose_precision, convolving
from fcis_ros.model.preprocess import preprocess
from fcis_ros.model.stage_clock import StageClock
from fcis_ros.structures import Instances


class Predictor:
    """Finds instances in images, one image at a time.

    Attributes:
        model: the network, as it was prepared for the device.
        config: its configuration.
        name: the model's name, the checkpoint's file name without its ending.
        device: where it computes.
        precision: of the convolutions: ``fp32``, ``tf32``, ``bf16`` or ``fp16``.
        stage_ms: milliseconds each stage of the last call took on the device, in order.
    """

    def __init__(self, model: FCIS, name: str, device: torch.device, precision: str = "fp32"):
        self.precision = choose_precision(precision, device)
        fold_batch_norm(model)
        self.model = model.eval().to(device, memory_format=torch.channels_last)
        cast(self.model, self.precision)
        self.config: ModelConfig = model.config
        self.name = name
        self.device = device
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
            precision: of the convolutions: ``fp32``, ``tf32``, ``bf16``, ``fp16``, or ``auto``, which follows from the device
                (the table in ``model/hardware.py``).

        Raises:
            InputError: the file is missing, damaged, of another version, or device or precision are not there.
        """
        chosen = choose_device(device)
        precision = choose_precision(precision, chosen)
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
        with convolving(self.precision):
            instances = self.model(tensor, scale, image.shape[:2], score_floor, clock.mark)
        self.stage_ms = clock.stage_ms()
        return instances
