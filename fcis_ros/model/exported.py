# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The whole frame as one AOTInductor package: from the bytes of an image message to run lengths, without Python.

A package is made for one size and encoding of the images, one device and one precision. It needs our operators' library
(``_C.so``) and contains code: like a shared library, load it only from sources whose programs you would run.
"""

import json
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from fcis_ros import ops
from fcis_ros.config import ModelConfig, json_object
from fcis_ros.encodings import EIGHT_BIT, check_sides, data_rows
from fcis_ros.errors import InputError
from fcis_ros.files import atomic_path
from fcis_ros.image_checks import check_image
from fcis_ros.model import checkpoint
from fcis_ros.model.device import choose_device
from fcis_ros.model.fcis import RUNS_PER_COLUMN
from fcis_ros.model.packing import PaddedInstances, to_host, to_instances
from fcis_ros.model.precision import DTYPES, convolving
from fcis_ros.model.predictor import Predictor
from fcis_ros.model.preprocess import Original, resize_scale
from fcis_ros.model.stage_clock import stage, timed_stages
from fcis_ros.structures import Instances, Prediction

FORMAT = "1"
ENDING = ".pt2"


@dataclass(frozen=True)
class FrameLayout:
    """Size and encoding of the images that a package takes.

    Attributes:
        height: height in pixels.
        width: width in pixels.
        encoding: key of ``EIGHT_BIT``; rows are without padding.
    """

    height: int
    width: int
    encoding: str

    @property
    def step(self) -> int:
        """Number of bytes in a row."""
        return self.width * EIGHT_BIT[self.encoding].channels

    @property
    def bytes(self) -> int:
        """Number of bytes in an image."""
        return self.step * data_rows(self.encoding, self.height)


class FrameProgram(nn.Module):
    """Computes the fields of ``PaddedInstances``, in their order, from the bytes of an image [B] uint8."""

    def __init__(self, predictor: Predictor, frames: FrameLayout):
        super().__init__()
        self.model = predictor.model
        self.frames = frames
        self.dtype = DTYPES[predictor.precision]
        config = predictor.config
        self.original = Original(frames.height, frames.width, resize_scale(frames.height, frames.width, config))

    def forward(self, data: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
        config, frames = self.model.config, self.frames
        about = (frames.encoding, frames.height, frames.width, frames.step, self.original.scale, config.mean, config.std)
        image = ops.network_input(data, *about, self.dtype)
        room = RUNS_PER_COLUMN * frames.width * config.max_instances
        padded = self.model.detect(self.model.dense(image), 0, self.original, 0.0, room)
        return padded.scores, padded.labels, padded.boxes, padded.runs, padded.ends, padded.ignored


def export(predictor: Predictor, frames: FrameLayout, path: Path) -> None:
    """Compiles a package and writes it, whole or not at all; takes minutes.

    Args:
        predictor: predictor with the network, device and precision.
        frames: size and encoding of the images.
        path: the ``.pt2`` file to write.

    Raises:
        InputError: the size or encoding is impossible, the model's voting has no fixed sizes, or the file cannot be written.
    """
    if frames.encoding not in EIGHT_BIT:
        raise InputError(f"encoding {frames.encoding!r}: expected one of {', '.join(EIGHT_BIT)}")
    check_sides(frames.encoding, frames.height, frames.width)
    if tuple(map(int, torch.__version__.split(".")[:2])) < (2, 6):
        raise InputError(f"PyTorch {torch.__version__} makes no packages; 2.6 or newer does")
    if predictor.config.voting != "released":
        raise InputError(f"voting: {predictor.config.voting}: its sizes follow from the image; only `released` can be exported")
    about = {
        "format": FORMAT,
        "name": predictor.name,
        "config": json.dumps(predictor.config.to_dict()),
        "height": str(frames.height),
        "width": str(frames.width),
        "encoding": frames.encoding,
        "device": predictor.device.type,
        "precision": predictor.precision,
        "operators": torch.ops.fcis_ros.sources(),
        "torch": torch.__version__,
    }
    from torch._inductor import aoti_compile_and_package  # takes seconds, and is not needed to load a checkpoint

    data = torch.zeros(frames.bytes, dtype=torch.uint8, device=predictor.device)
    try:
        with atomic_path(path) as partial, torch.no_grad(), convolving(predictor.precision):
            # Traced by running it, as newer PyTorch does by default: ``stage`` is nothing for the compiler.
            program = torch.export.export(FrameProgram(predictor, frames), (data,), strict=False)
            aoti_compile_and_package(program, package_path=str(partial), inductor_configs={"aot_inductor.metadata": about})
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None


def read_about(path: Path) -> dict[str, str]:
    """Reads the description that ``export`` wrote, without running any code of the package.

    Raises:
        InputError: the file is missing, not a package, or a package of another program.
    """
    try:
        with zipfile.ZipFile(path) as package:
            names = [name for name in package.namelist() if name.endswith("_metadata.json")]
            sizes = [package.getinfo(name).file_size for name in names]
            if not names or sizes[0] > 1 << 20:
                raise InputError(f"model {path}: not an exported model (no description in it)")
            about = json_object(package.read(names[0]).decode(errors="replace"), f"model {path}")
    except FileNotFoundError:
        raise InputError(f"model {path}: no such file") from None
    except (OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"model {path}: not a readable package ({error})") from None
    if about.get("format") != FORMAT or not all(isinstance(value, str) for value in about.values()):
        raise InputError(f"model {path}: not a model that `fcis export` of this release wrote")
    return about


class ExportedPredictor:
    """An exported package with the interface of ``Predictor`` and the same answers for images of its size.

    Attributes:
        config: configuration of the model.
        name: name of the checkpoint that was exported.
        frames: size and encoding of the images.
        device: device that computes.
        precision: precision of the convolutions.
    """

    def __init__(self, path: str | Path, device: str = "auto", precision: str = "auto"):
        """Loads a package.

        Raises:
            InputError: as for ``read_about``, or the package is for another device, precision, PyTorch or other operators.
        """
        path = Path(path)
        about = read_about(path)
        try:
            self.frames = FrameLayout(int(about["height"]), int(about["width"]), about["encoding"])
            self.config = ModelConfig.from_dict(json_object(about["config"], "model config"))
            self.name, self.precision, kind = about["name"], about["precision"], about["device"]
            check_sides(self.frames.encoding, self.frames.height, self.frames.width)
            required = {key: about[key] for key in ("operators", "torch")}
        except (KeyError, ValueError, InputError) as error:
            raise InputError(f"model {path}: its description is damaged ({error})") from None
        for key, present in (("operators", torch.ops.fcis_ros.sources()), ("torch", torch.__version__)):
            if required[key] != present:
                raise InputError(f"model {path}: made with {key} {required[key]}, here is {present}; export it again")
        self.device = choose_device(kind if device == "auto" else device)
        if self.device.type != kind:
            raise InputError(f"model {path}: exported for {kind}, not for {self.device}")
        if precision not in ("auto", self.precision):
            raise InputError(f"model {path}: exported in {self.precision}, not in {precision}")
        from torch._inductor import aoti_load_package

        try:
            index = -1 if self.device.index is None else self.device.index
            self._run = aoti_load_package(str(path), device_index=index)
        except RuntimeError as error:
            raise InputError(f"model {path}: cannot be loaded ({str(error).splitlines()[0]})") from None

    def example(self) -> np.ndarray:
        """As ``Predictor.example``."""
        return np.zeros((self.frames.height, self.frames.width, 3), np.uint8)

    def __call__(self, image: np.ndarray, score_floor: float = 0.0) -> Instances:
        """As ``Predictor.__call__``."""
        return self.predict([image], score_floor)[0].instances

    def predict(self, images: Sequence[np.ndarray], score_floor: float = 0.0) -> list[Prediction]:
        """As ``Predictor.predict``, image by image; images are RGB and of the package's size.

        Raises:
            InputError: an image is not, or the package takes another encoding.
        """
        if self.frames.encoding != "rgb8":
            raise InputError(f"model {self.name}: exported for {self.frames.encoding} messages; use `run`")
        for image in images:
            check_image(image)
            if image.shape[:2] != (self.frames.height, self.frames.width):
                height, width = image.shape[:2]
                raise InputError(
                    f"image: {width}x{height}, but {self.name} was exported for {self.frames.width}x{self.frames.height}"
                )
        return [self.run(np.ascontiguousarray(image).reshape(-1), score_floor) for image in images]

    @torch.inference_mode()
    def run(self, data: np.ndarray, score_floor: float = 0.0) -> Prediction:
        """Finds the instances in the bytes of one image message, rows without padding.

        Args:
            data: [B] uint8, B = ``frames.bytes``.
            score_floor: minimum score of an instance, 0 to 1.

        Raises:
            InputError: the number of bytes differs, or run lengths exceed the capacity of the package.
        """
        if data.shape != (self.frames.bytes,) or data.dtype != np.uint8:
            raise InputError(f"image: {data.dtype} {data.shape}, expected {self.frames.bytes} bytes")
        with timed_stages(self.device) as clock:
            with stage("frame"):
                on_device = PaddedInstances(*self._run(torch.from_numpy(np.require(data, requirements="W")).to(self.device)))
            with stage("download"):
                (padded,) = to_host([on_device])
                if padded.truncated:
                    room = len(padded.runs)
                    raise InputError(f"image: its masks have {padded.ends[-1]} run lengths, {self.name} has room for {room}")
                instances = to_instances(padded, self.frames.height, self.frames.width, self.config.class_names)
        return Prediction(instances.select(instances.scores >= score_floor), clock.stage_ms(), int(padded.ignored))


def class_names_of(path: Path) -> tuple[str, ...]:
    """Returns the classes of a checkpoint, which is loaded, or of a package, whose code is not run.

    Raises:
        InputError: the file cannot be used.
    """
    if path.suffix != ENDING:
        return checkpoint.load(path).config.class_names
    return ModelConfig.from_dict(json_object(read_about(path).get("config", ""), f"model {path}")).class_names


def load_predictor(
    path: str | Path | None, device: str = "auto", threads: int | None = None, precision: str = "auto"
) -> Predictor | ExportedPredictor:
    """Loads a checkpoint or, by its suffix, a package; arguments as for ``Predictor.from_checkpoint``.

    Raises:
        InputError: as for ``Predictor.from_checkpoint`` and ``ExportedPredictor``.
    """
    if path is None or Path(path).suffix != ENDING:
        return Predictor.from_checkpoint(path, device, threads, precision)
    if threads is not None:
        torch.set_num_threads(threads)
    return ExportedPredictor(path, device, precision)
