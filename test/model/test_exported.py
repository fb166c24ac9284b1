# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Packages: the same answers as the eager network, from Python and from C++; bad ones are refused before they are run."""

import json
import os
import subprocess
import tempfile
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import fcis_ros
from fcis_ros.data.synthetic.scenes import SyntheticScenes
from fcis_ros.errors import InputError
from fcis_ros.model.exported import (
    ExportedPredictor,
    FrameLayout,
    FrameProgram,
    class_names_of,
    export,
    load_predictor,
    read_about,
)
from fcis_ros.model.predictor import Predictor

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "exported"
HEIGHT, WIDTH = 90, 130
pytestmark = [pytest.mark.compiler, pytest.mark.export, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def predictor(tiny_checkpoint) -> Predictor:
    return Predictor.from_checkpoint(tiny_checkpoint, device="cpu", precision="fp32")


@pytest.fixture(scope="module")
def package(predictor, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "tiny.pt2"
    export(predictor, FrameLayout(HEIGHT, WIDTH, "rgb8"), path)
    assert [file.name for file in path.parent.iterdir()] == ["tiny.pt2"]  # no partial file is left
    return path


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return cv2.resize(SyntheticScenes(0).sample(3).image, (WIDTH, HEIGHT))


def test_exported_predictor_answers_equal_the_networks(package, predictor, image):
    exported = load_predictor(package)
    assert (exported.name, exported.precision, exported.device.type) == ("tiny", "fp32", "cpu")
    assert exported.config == predictor.config
    for floor in (0.0, 0.3):
        found, expected = exported.predict([image, image[::-1]], floor), predictor.predict([image, image[::-1]], floor)
        assert len(expected[0].instances) > 3 or floor
        for ours, theirs in zip(found, expected, strict=True):
            assert ours.ignored_rois == theirs.ignored_rois
            assert np.array_equal(ours.instances.labels, theirs.instances.labels)
            np.testing.assert_allclose(ours.instances.scores, theirs.instances.scores, atol=1e-5)
            assert np.array_equal(ours.instances.boxes, theirs.instances.boxes)
            assert (ours.instances.masks != theirs.instances.masks).mean() < 1e-4


@pytest.mark.slow
def test_package_from_cpp_answers_equal_the_networks(package, predictor, image, tmp_path):
    """The example, built as its CMakeLists.txt says; no Python in the process."""
    prefix = f"-DCMAKE_PREFIX_PATH={torch.utils.cmake_prefix_path}"
    for command in (["cmake", "-S", EXAMPLE, "-B", tmp_path / "build", prefix], ["cmake", "--build", tmp_path / "build"]):
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    program = tmp_path / "build" / "exported"
    operators = next(path for folder in fcis_ros.__path__ if (path := Path(folder) / "_C.so").is_file())
    for file in (program, operators):
        linked = subprocess.run(["ldd", file], check=True, capture_output=True, text=True).stdout
        names = {line.split()[0] for line in linked.splitlines()}
        assert "libtorch_cpu.so" in names and not {name for name in names if "python" in name}
    picture = tmp_path / "picture.ppm"
    cv2.imwrite(str(picture), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run([program, package, operators, picture, "0"], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    found = [line.split() for line in done.stdout.splitlines()]
    expected = predictor(image)
    assert [int(line[0]) for line in found] == expected.labels.tolist() and len(found) > 3
    np.testing.assert_allclose([float(line[1]) for line in found], expected.scores, atol=1e-5)
    assert [list(map(int, line[2:6])) for line in found] == expected.boxes.tolist()
    assert [int(line[6]) for line in found] == expected.masks.sum(axis=(1, 2)).tolist()
    cv2.imwrite(str(picture), image[:-1])
    done = subprocess.run([program, package, operators, picture], capture_output=True, text=True)
    assert done.returncode == 2 and "made for 130x90 rgb8, not for this picture" in done.stderr


@pytest.mark.parametrize("encoding", ["nv12", "bayer_rggb8"])
def test_frame_program_other_encodings_equal_rgb(predictor, image, encoding):
    """The module that is exported, not compiled: a mosaic of one colour is that colour."""
    grey = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    frames = FrameLayout(HEIGHT, WIDTH, encoding)
    data = torch.full((frames.bytes,), 128, dtype=torch.uint8)
    if encoding == "nv12":
        data[: HEIGHT * WIDTH] = 126  # luma that gives 128
    with torch.inference_mode():
        scores, labels, boxes, *_ = FrameProgram(predictor, frames)(data)
    expected = predictor(grey)
    keep = (boxes[:, 2] > boxes[:, 0]).numpy() & (labels > 0).numpy()
    assert np.array_equal(boxes.numpy()[keep], expected.boxes) and len(expected)
    np.testing.assert_allclose(scores.numpy()[keep], expected.scores, atol=1e-6)


def test_frame_program_pyramid_traced_for_export_answers_equal_the_networks(pyramid_checkpoint, image):
    """What a package is compiled from; that compilation changes no answer, the other tests show."""
    predictor = Predictor.from_checkpoint(pyramid_checkpoint, device="cpu", precision="fp32")
    frames, data = FrameLayout(HEIGHT, WIDTH, "rgb8"), torch.from_numpy(image).reshape(-1)
    with torch.no_grad():
        program = torch.export.export(FrameProgram(predictor, frames), (torch.zeros_like(data),), strict=False)
        scores, labels, boxes, *_ = program.module()(data)
    expected = predictor(image)
    keep = (boxes[:, 2] > boxes[:, 0]).numpy() & (labels > 0).numpy()
    assert np.array_equal(boxes.numpy()[keep], expected.boxes) and len(expected) > 3
    np.testing.assert_allclose(scores.numpy()[keep], expected.scores, atol=1e-5)


def test_exported_predictor_image_of_another_size_is_refused(package):
    exported = ExportedPredictor(package)
    exported(exported.example())
    with pytest.raises(InputError, match="image: 131x90, but tiny was exported for 130x90"):
        exported(np.zeros((HEIGHT, WIDTH + 1, 3), np.uint8))
    with pytest.raises(InputError, match="image: uint8 .*, expected 35100 bytes"):
        exported.run(np.zeros(35099, np.uint8))


def test_exported_predictor_other_device_or_precision_is_refused(package):
    with pytest.raises(InputError, match="exported in fp32, not in bf16"):
        ExportedPredictor(package, precision="bf16")
    says = "exported for cpu, not for cuda" if torch.cuda.is_available() else "device 'cuda'"
    with pytest.raises(InputError, match=says):
        ExportedPredictor(package, device="cuda")


def changed(package: Path, to: Path, old: str, new: str) -> Path:
    """A copy whose description says something else."""
    with zipfile.ZipFile(package) as source, zipfile.ZipFile(to, "w") as copy:
        for name in source.namelist():
            content = source.read(name)
            if name.endswith("_metadata.json"):
                assert old.encode() in content
                content = content.replace(old.encode(), new.encode())
            copy.writestr(name, content)
    return to


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (torch.__version__, "1.0.0", "made with torch 1.0.0, here is"),
        (torch.ops.fcis_ros.sources(), "cpu-0", "made with operators cpu-0, here is .*; export it again"),
        ('"height"', '"depth"', "its description is damaged"),
        ('"rgb8"', '"mono16"', "its description is damaged"),
        ('"format"', '"shape"', "not a model that `fcis export` of this release wrote"),
    ],
)
def test_exported_predictor_changed_description_is_refused(package, tmp_path, old, new, says):
    with pytest.raises(InputError, match=f"model .*other.pt2: {says}"):
        ExportedPredictor(changed(package, tmp_path / "other.pt2", old, new))


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (lambda path: None, "no such file"),
        (lambda path: path.write_bytes(b"text"), "not a readable package"),
        (lambda path: path.write_bytes(description(path, "{}").read_bytes()[:-10]), "not a readable package"),
        (lambda path: zipfile.ZipFile(path, "w").close(), "not an exported model"),
        (lambda path: description(path, " " * (2 << 20)), "not an exported model"),
    ],
)
def test_load_predictor_not_a_package_is_refused(tmp_path, write, says):
    write(tmp_path / "other.pt2")
    with pytest.raises(InputError, match=f"model .*other.pt2: {says}"):
        load_predictor(tmp_path / "other.pt2")


def description(path: Path, content: str) -> Path:
    """A file that has nothing of a package but its description, packed."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a/b_metadata.json", content)
    return path


@given(st.lists(st.tuples(st.integers(0, 999), st.integers(1, 255)), min_size=1, max_size=4), st.integers(0, 200))
def test_read_about_damaged_file_is_refused_in_one_line(flips, cut):
    """Whatever is flipped or cut off: what was written, or an error that names the file."""
    with tempfile.TemporaryDirectory() as folder:
        path = description(Path(folder) / "a.pt2", json.dumps({"format": "1", "name": "a" * 300}))
        content = bytearray(path.read_bytes())
        for position, change in flips:
            content[position % len(content)] ^= change
        path.write_bytes(content[: len(content) - cut] if cut < 100 else content)
        try:
            about = read_about(path)
        except InputError as error:
            assert str(error).startswith(f"model {path}") and "\n" not in str(error)
        else:
            assert about["format"] == "1" and all(isinstance(value, str) for value in about.values())


def test_class_names_of_runs_no_code(package, tiny_checkpoint, tmp_path):
    assert class_names_of(package) == class_names_of(tiny_checkpoint) == ("car", "pedestrian", "bicyclist")
    with pytest.raises(InputError, match="none.pt2"):
        class_names_of(description(tmp_path / "none.pt2", json.dumps({"format": "1"})))


def test_export_impossible_frames_are_refused(predictor, tmp_path):
    with pytest.raises(InputError, match="encoding 'mono16': expected one of rgb8"):
        export(predictor, FrameLayout(90, 130, "mono16"), tmp_path / "a.pt2")
    with pytest.raises(InputError, match="nv12 needs even sides"):
        export(predictor, FrameLayout(91, 130, "nv12"), tmp_path / "a.pt2")
    assert not list(tmp_path.iterdir())
