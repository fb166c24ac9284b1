# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Other data sets' annotations become COCO files: small data sets made here, read back by this project and by pycocotools."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io
from hypothesis import given
from hypothesis.extra import numpy as arrays

from fcis_ros.cli.main import main
from fcis_ros.data.coco_dataset import CocoDataset
from fcis_ros.data.instance_maps import VOC, read_indices, voc_palette

PICTURE = np.zeros((4, 6, 3), np.uint8)


def put(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels)


def put_palette(path: Path, values: np.ndarray) -> None:
    """VOC's maps are PNGs with a palette; OpenCV reads one as the same colours as a PNG of colours."""
    put(path, np.ascontiguousarray(voc_palette()[values][:, :, ::-1]))


def converted(dataset: str, root: Path, split: str = "val") -> CocoDataset:
    out = root.parent / "out.json"
    assert main(["convert", dataset, str(root), str(out), "--split", split]) == 0
    return CocoDataset(out, root)


def test_to_coco_cityscapes_gives_objects_and_crowd_regions(tmp_path):
    root = tmp_path / "cityscapes"
    values = np.full((4, 6), 7, np.uint16)  # road
    values[0, :2], values[1, :2], values[2, :3], values[3] = 26000, 26001, 24012, 26  # two cars, a person, a group of cars
    values[0, 5], values[1, 5] = 29000, 33000  # a caravan, which is not evaluated; a bicycle
    for name, content in (("bonn_000001_000019", values), ("aachen_000000_000019", np.zeros_like(values))):
        city = name.split("_")[0]
        put(root / f"gtFine/val/{city}/{name}_gtFine_instanceIds.png", content)
        put(root / f"leftImg8bit/val/{city}/{name}_leftImg8bit.png", PICTURE)
    dataset = converted("cityscapes", root)
    assert dataset.class_names == ("person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle")
    assert [Path(name).name[:6] for name in dataset.file_names] == ["aachen", "bonn_0"]
    assert len(dataset[0].labels) == 0
    sample = dataset[1]
    objects = zip(sample.labels, sample.crowd, sample.masks, strict=True)
    expected = [(1, False, 24012), (3, False, 26000), (3, False, 26001), (3, True, 26), (8, False, 33000)]
    assert {(int(label), bool(crowd), mask.tobytes()) for label, crowd, mask in objects} == {
        (label, crowd, (values == value).tobytes()) for label, crowd, value in expected
    }


@pytest.fixture
def voc_root(tmp_path) -> Path:
    root = tmp_path / "VOC2012"
    objects, classes = np.zeros((4, 6), np.uint8), np.zeros((4, 6), np.uint8)
    objects[:2, :2], objects[2:, 3:], objects[:2, 2] = 1, 2, 255
    classes[:2, :2], classes[2:, 3:], classes[:2, 2] = 15, 7, 255
    classes[2:, 4:] = 255  # most of the car is difficult: its class is that of the other pixels
    put_palette(root / "SegmentationObject/2007_000032.png", objects)
    put_palette(root / "SegmentationClass/2007_000032.png", classes)
    put(root / "JPEGImages/2007_000032.jpg", PICTURE)
    (root / "ImageSets/Segmentation").mkdir(parents=True)
    (root / "ImageSets/Segmentation/val.txt").write_text("2007_000032\n")
    return root


def test_to_coco_voc_gives_objects_by_palette_index(voc_root):
    sample = converted("voc", voc_root)[0]
    assert [VOC[label] for label in sample.labels] == ["person", "car"]
    assert sample.masks.sum(axis=(1, 2)).tolist() == [4, 6] and not sample.masks[:, :, 2].any() and not sample.crowd.any()
    assert sample.masks[0, :2, :2].all() and sample.masks[1, 2:, 3:].all()


def test_palette_first_colours_equal_hand_computed():
    # From the VOC development kit: aeroplane, bicycle, tvmonitor, void.
    assert voc_palette()[[0, 1, 2, 20, 255]].tolist() == [[0, 0, 0], [128, 0, 0], [0, 128, 0], [0, 64, 128], [224, 224, 192]]
    assert len(np.unique(voc_palette(), axis=0)) == 256


@given(arrays.arrays(np.uint8, (5, 7)))
def test_indices_of_palette_colours_equal_the_palette_index(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("palette") / "map.png"
    put_palette(path, values)
    np.testing.assert_array_equal(read_indices(path), values)
    put(path, values)  # without colours the values are the indices
    np.testing.assert_array_equal(read_indices(path), values)


@pytest.fixture
def sbd_root(tmp_path) -> Path:
    root = tmp_path / "dataset"
    values = np.zeros((4, 6), np.uint8)
    values[0], values[3, 4:] = 1, 2
    (root / "inst").mkdir(parents=True)
    truth = {"Segmentation": values, "Boundaries": np.zeros((2, 1)), "Categories": np.array([[20], [3]], np.uint8)}
    scipy.io.savemat(root / "inst/2008_000001.mat", {"GTinst": truth}, do_compression=True)
    put(root / "img/2008_000001.jpg", PICTURE)
    (root / "val.txt").write_text("2008_000001\n\n")
    return root


def test_to_coco_sbd_gives_objects_of_the_mat_file(sbd_root):
    sample = converted("sbd", sbd_root)[0]
    assert [VOC[label] for label in sample.labels] == ["tvmonitor", "bird"]
    assert sample.masks[0, 0].all() and sample.masks[1, 3, 4:].all() and sample.masks.sum(axis=(1, 2)).tolist() == [6, 2]


@pytest.mark.parametrize(
    ("path", "content", "said"),
    [
        ("SegmentationClass/2007_000032.png", np.zeros((3, 6), np.uint8), "its size differs"),
        ("SegmentationObject/2007_000032.png", np.full((4, 6, 3), 77, np.uint8), "is not in VOC's palette"),
        ("SegmentationObject/2007_000032.png", b"garbage", "not a readable image"),
        ("JPEGImages/2007_000032.jpg", None, "2007_000032.jpg: no such image"),
        ("ImageSets/Segmentation/val.txt", b"\n", "no images are listed"),
    ],
)
def test_convert_damaged_voc_names_the_fault_and_writes_nothing(voc_root, tmp_path, capsys, path, content, said):
    if content is None:
        (voc_root / path).unlink()
    elif isinstance(content, bytes):
        (voc_root / path).write_bytes(content)
    else:
        put(voc_root / path, content)
    assert main(["convert", "voc", str(voc_root), str(tmp_path / "out.json"), "--split", "val"]) == 2
    assert said in capsys.readouterr().err and not list(tmp_path.glob("out*"))


OUT_OF_RANGE = [  # a third object of two, and a class of 20
    {"Segmentation": np.full((4, 6), 3), "Categories": np.array([[20], [3]])},
    {"Segmentation": np.ones((4, 6)), "Categories": np.array([[21]])},
]


@pytest.mark.parametrize(
    "content",
    [b"", b"garbage", b"MATLAB 5.0 MAT-file" + bytes(500), {"GTcls": 1}, *({"GTinst": truth} for truth in OUT_OF_RANGE)],
)
def test_convert_damaged_sbd_names_the_fault_and_writes_nothing(sbd_root, tmp_path, capsys, content):
    path = sbd_root / "inst/2008_000001.mat"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        scipy.io.savemat(path, content)
    assert main(["convert", "sbd", str(sbd_root), str(tmp_path / "out.json"), "--split", "val"]) == 2
    error = capsys.readouterr().err
    assert "2008_000001.mat" in error and error.count("\n") == 1 and not list(tmp_path.glob("out*"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["cityscapes", "{root}", "{out}"], "no CITY/"),
        (["voc", "{root}", "{out}", "--split", "nowhere"], "no such split (available: val)"),
        (["voc", "{root}", "{out}", "--split", "../val"], "not the name of a split"),
        (["voc", "{root}/none", "{out}"], "no such folder"),
        (["voc", "{root}", "{root}/none/out.json"], "no such folder"),
    ],
)
def test_convert_missing_input_names_it(voc_root, tmp_path, capsys, arguments, said):
    named = [text.format(root=voc_root, out=tmp_path / "out.json") for text in arguments]
    assert main(["convert", *named]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
