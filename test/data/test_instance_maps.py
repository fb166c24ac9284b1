# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Other data sets' annotations become COCO files: small data sets made here, read back by this project."""

from pathlib import Path

import numpy as np
import pytest
import scipy.io
from map_folders import PICTURE, converted, put

from fcis_ros.cli.main import main
from fcis_ros.data.instance_maps import VOC


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


def test_convert_cityscapes_unusable_annotation_is_named_and_the_others_are_written(tmp_path, capsys):
    """A damaged map, a missing picture, and what macOS writes beside a map."""
    root = tmp_path / "cityscapes"
    for name in ("aachen_0", "aachen_1", "aachen_2"):
        put(root / f"gtFine/val/aachen/{name}_gtFine_instanceIds.png", np.full((4, 6), 26000, np.uint16))
        put(root / f"leftImg8bit/val/aachen/{name}_leftImg8bit.png", PICTURE)
    (root / "gtFine/val/aachen/._aachen_0_gtFine_instanceIds.png").write_bytes(b"Mac OS X")
    assert main(["convert", "cityscapes", str(root), str(tmp_path / "out.json"), "--split", "val"]) == 0
    (root / "gtFine/val/aachen/aachen_0_gtFine_instanceIds.png").write_bytes(b"cut")
    (root / "leftImg8bit/val/aachen/aachen_2_leftImg8bit.png").unlink()
    capsys.readouterr()
    assert len(converted("cityscapes", root, status=2)) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("fcis: cityscapes: 2 of 3 images cannot be used: aachen/aachen_0_gtFine_instanceIds.png (")
    assert "aachen_2_leftImg8bit.png: no such image" in said and str(root) not in said
