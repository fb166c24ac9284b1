# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Folders in the layout of PASCAL VOC become COCO files, with the classes that they bring along."""

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as arrays
from map_folders import PICTURE, converted, put, put_palette

from fcis_ros.cli.main import main
from fcis_ros.data.instance_maps import VOC
from fcis_ros.data.voc_maps import read_classes, read_indices, voc_palette
from fcis_ros.errors import InputError


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


def names_of(dataset, index=0) -> list[str]:
    return [dataset.class_names[label - 1] for label in dataset[index].labels]


@pytest.mark.parametrize("first", ["__ignore__\n_background_\n", "_background_\n", ""])
def test_convert_voc_class_names_of_labelme_are_used(voc_root, first):
    names = [f"class {i}" for i in range(1, 21)]
    (voc_root / "class_names.txt").write_text(first + "\n".join(names), encoding="utf-8-sig")
    dataset = converted("voc", voc_root)
    assert dataset.class_names == tuple(names) and names_of(dataset) == ["class 15", "class 7"]


def test_convert_voc_labelmap_of_cvat_is_used(voc_root, capsys):
    """Classes by colour, in any order; a colour that is not listed is named."""
    lines = ["# label:color_rgb:parts:actions", "pallet:10,20,30::", "background:0,0,0::", "fork lift:250,50,83::wheels"]
    (voc_root / "labelmap.txt").write_text("\n".join(lines))
    objects = read_indices(voc_root / "SegmentationObject/2007_000032.png")
    colours = np.zeros((*objects.shape, 3), np.uint8)
    colours[objects == 1], colours[objects == 2], colours[objects == 255] = (250, 50, 83), (10, 20, 30), (224, 224, 192)
    put(voc_root / "SegmentationClass/2007_000032.png", np.ascontiguousarray(colours[:, :, ::-1]))
    dataset = converted("voc", voc_root)
    assert dataset.class_names == ("pallet", "fork lift") and names_of(dataset) == ["fork lift", "pallet"]
    colours[objects == 2] = 7, 7, 7
    put(voc_root / "SegmentationClass/2007_000032.png", np.ascontiguousarray(colours[:, :, ::-1]))
    assert main(["convert", "voc", str(voc_root), str(voc_root / "out.json"), "--split", "val"]) == 2
    assert "the colour 7,7,7 is not in labelmap.txt" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("labelmap.txt", "car", "not a line NAME:RED,GREEN,BLUE"),
        ("labelmap.txt", "car:1,2,300::", "not a line NAME:RED,GREEN,BLUE"),
        ("labelmap.txt", "background:0,0,0::", "no classes are listed"),
        ("class_names.txt", "__ignore__", "no classes are listed"),
    ],
)
def test_read_classes_malformed_list_is_refused(tmp_path, name, content, said):
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=f"{name}: {said}"):
        read_classes(tmp_path)
    (tmp_path / name).write_bytes(b"\xff\xff")
    with pytest.raises(InputError, match=f"{name}: not a readable text file"):
        read_classes(tmp_path)


def test_convert_voc_class_that_is_not_listed_is_named(voc_root, capsys):
    (voc_root / "class_names.txt").write_text("_background_\nforklift\n")
    assert main(["convert", "voc", str(voc_root), str(voc_root / "out.json"), "--split", "val"]) == 2
    assert "2007_000032.png: class 15 is not listed" in capsys.readouterr().err


def test_convert_voc_names_with_blanks_and_flags_are_read(voc_root):
    """VOC's other lists have a flag behind the name; a name may end like one."""
    for name in ("photo 1", "a b"):
        for folder, suffix in (("SegmentationObject", "png"), ("SegmentationClass", "png"), ("JPEGImages", "jpg")):
            (voc_root / folder / f"{name}.{suffix}").write_bytes((voc_root / folder / f"2007_000032.{suffix}").read_bytes())
    (voc_root / "JPEGImages/a b.jpg").rename(voc_root / "JPEGImages/a b.png")
    (voc_root / "ImageSets/Segmentation/val.txt").write_text("photo 1\n2007_000032  -1\na b 1\n")
    dataset = converted("voc", voc_root)
    assert [Path(name).name for name in dataset.file_names] == ["photo 1.jpg", "2007_000032.jpg", "a b.png"]
    assert len(dataset[0].labels) == len(dataset[2].labels) == 2


def test_convert_voc_folder_without_lists_is_taken_whole(voc_root):
    (voc_root / "ImageSets/Segmentation/val.txt").unlink()
    (voc_root / "ImageSets/Segmentation").rmdir()
    (voc_root / "SegmentationObject/._2007_000032.png").write_bytes(b"Mac OS X")
    assert len(converted("voc", voc_root, "train")) == 1


def test_convert_voc_unusable_annotation_is_named_and_the_others_are_written(voc_root, capsys):
    (voc_root / "ImageSets/Segmentation/val.txt").write_text("2007_000032\n2007_000039\n")
    assert len(converted("voc", voc_root, status=2)) == 1
    assert "VOC2012: 1 of 2 images cannot be used: 2007_000039 (SegmentationObject/2007_000039.png: no such file)" in (
        capsys.readouterr().err
    )


def test_read_indices_stored_palette_gives_the_indices(tmp_path):
    """Other tools choose other palettes; the index is what counts. Made by hand, as OpenCV writes none."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 3, 1, 8, 3, 0, 0, 0)
    chunks = [
        (b"IHDR", header),
        (b"PLTE", bytes([0, 0, 0, 9, 8, 7, 250, 50, 83])),
        (b"IDAT", zlib.compress(b"\0\2\0\1")),
        (b"IEND", b""),
    ]
    path = tmp_path / "map.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in chunks))
    assert read_indices(path).tolist() == [[2, 0, 1]]
    assert cv2.imread(str(path)).shape == (1, 3, 3)


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
