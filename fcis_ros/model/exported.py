# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The whole frame as one AOTInductor package: from the bytes of an image message to run lengths, without Python.

A package is made for one size and encoding of the images, one device and one precision. It needs our operators' library
(``_C.so``) beside it, and runs what it holds: like a shared library, load it only from where you would run a program from.
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
from fcis_ros.image_checks import check_image
from fcis_ros.model import checkpoint
from fcis_ros.model.device import choose_device
from fcis_ros.model.packing import PaddedInstances, pack, to_instances, unpack
from fcis_ros.model.precision import DTYPES, convolving
from fcis_ros.model.predictor import Predictor
from fcis_ros.model.preprocess import Original, resize_scale
from fcis_ros.model.stage_clock import StageClock
from fcis_ros.structures import Instances, Prediction

FORMAT = "1"
ENDING = ".pt2"
RUNS_PER_COLUMN = 8  # room for run lengths, per column of the image and instance: four times what smooth masks need


@dataclass(frozen=True)
class FrameLayout:
    """What images a package is for.

    Attributes:
        height: in pixels.
        width: in pixels.
        encoding: of ``EIGHT_BIT``; rows without padding.
    """

    height: int
    width: int
    encoding: str

    @property
    def step(self) -> int:
        """Bytes of a row."""
        return self.width * EIGHT_BIT[self.encoding].channels

    @property
    def bytes(self) -> int:
        """Of an image."""
        return self.step * data_rows(self.encoding, self.height)


class FrameProgram(nn.Module):
    """``forward`` takes the bytes of an image [B] uint8 and returns ``PaddedInstances``' fields in their order."""

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
        found = self.model.detect(self.model.dense(image), 0, self.original, 0.0, room)
        return found.scores, found.labels, found.boxes, found.runs, found.ends, found.ignored


def export(predictor: Predictor, frames: FrameLayout, path: Path) -> None:
    """Compiles a package and writes it beside ``path``, then renames; takes minutes.

    Raises:
        InputError: the frames are none, the model's voting has no fixed size, or the file cannot be written.
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
    from torch._inductor import aoti_compile_and_package  # some seconds; who loads a checkpoint needs none of it

    data = torch.zeros(frames.bytes, dtype=torch.uint8, device=predictor.device)
    aside = path.with_name(path.stem + ".partial" + ENDING)
    try:
        with torch.no_grad(), convolving(predictor.precision):
            program = torch.export.export(FrameProgram(predictor, frames), (data,))
            aoti_compile_and_package(program, package_path=str(aside), inductor_configs={"aot_inductor.metadata": about})
        aside.replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None
    finally:
        aside.unlink(missing_ok=True)


def read_about(path: Path) -> dict[str, str]:
    """What ``export`` says of a package, read without running anything of it.

    Raises:
        InputError: no such file, not a package, or not one of ours.
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
    """A package in place of a ``Predictor``, with the same answers for images of its size.

    Attributes:
        config: of the model.
        name: of the checkpoint that it was made of.
        frames: the images that it takes.
        device: where it computes.
        precision: of the convolutions.
    """

    def __init__(self, path: str | Path, device: str = "auto", precision: str = "auto"):
        """Loads a package.

        Raises:
            InputError: as for ``read_about``, or it was made for another device, precision, PyTorch or other operators.
        """
        path = Path(path)
        about = read_about(path)
        try:
            self.frames = FrameLayout(int(about["height"]), int(about["width"]), about["encoding"])
            self.config = ModelConfig.from_dict(json_object(about["config"], "model config"))
            self.name, self.precision, kind = about["name"], about["precision"], about["device"]
            check_sides(self.frames.encoding, self.frames.height, self.frames.width)
            here = {"operators": torch.ops.fcis_ros.sources(), "torch": torch.__version__}
            there = {key: about[key] for key in here}
        except (KeyError, ValueError, InputError) as error:
            raise InputError(f"model {path}: its description is damaged ({error})") from None
        for key, value in here.items():
            if there[key] != value:
                raise InputError(f"model {path}: made with {key} {there[key]}, here is {value}; export it again")
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
            InputError: one of them is not, or the package takes another encoding.
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
            data: [B] uint8, ``frames.bytes`` of them.
            score_floor: leave out instances below this score.

        Raises:
            InputError: another number of bytes, or run lengths exceed the room that the package has for them.
        """
        if data.shape != (self.frames.bytes,) or data.dtype != np.uint8:
            raise InputError(f"image: {data.dtype} {data.shape}, expected {self.frames.bytes} bytes")
        clock = StageClock(self.device)
        outputs = self._run(torch.from_numpy(np.require(data, requirements="W")).to(self.device))
        clock.mark("frame")
        found = PaddedInstances(*outputs)
        room = len(found.runs)
        (found,) = unpack(pack([found]).cpu(), [found])
        if found.ends[-1] > room:
            raise InputError(f"image: its masks have {int(found.ends[-1])} run lengths, {self.name} has room for {room}")
        instances = to_instances(found, self.frames.height, self.frames.width, self.config.class_names)
        clock.mark("download")
        return Prediction(instances.select(instances.scores >= score_floor), clock.stage_ms(), int(found.ignored))


def class_names_of(path: Path) -> tuple[str, ...]:
    """Of a checkpoint, which is read whole, or of a package, of which nothing is run.

    Raises:
        InputError: it cannot be used.
    """
    if path.suffix != ENDING:
        return checkpoint.load(path).config.class_names
    return ModelConfig.from_dict(json_object(read_about(path).get("config", ""), f"model {path}")).class_names


def load_predictor(
    path: str | Path | None, device: str = "auto", threads: int | None = None, precision: str = "auto"
) -> Predictor | ExportedPredictor:
    """A checkpoint or, by its ending, a package; arguments as for ``Predictor.from_checkpoint``.

    Raises:
        InputError: as both say.
    """
    if path is None or Path(path).suffix != ENDING:
        return Predictor.from_checkpoint(path, device, threads, precision)
    if threads is not None:
        torch.set_num_threads(threads)
    return ExportedPredictor(path, device, precision)
