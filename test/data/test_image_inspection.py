# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""What is said about folders of images."""

import json

import numpy as np
import pytest
from pictures import encoded, gif, smooth, turned_jpeg

from fcis_ros.data.image_inspection import inspect_folder, inspect_images, turned_images
from fcis_ros.errors import InputError
from fcis_ros.findings import exit_status


def test_inspect_folder_counts_what_is_there(tmp_path):
    for number in range(3):
        (tmp_path / f"{number}.jpg").write_bytes(encoded("jpg"))
    (tmp_path / "3.png").write_bytes(encoded("png", smooth(10, 20)))
    found = inspect_folder(tmp_path)
    assert (found.path, found.kind, found.findings) == (str(tmp_path), "images", ())
    assert found.facts == {
        "images": 4, "usable": 4, "codecs": {"JPEG": 3, "PNG": 1}, "sizes": {"48x36": 3, "20x10": 1}, "bits": {"8 bits": 4},
        "orientations": {"upright": 4},
    }  # fmt: skip
    assert found.uses["predict"] == "finds instances in 4 of 4 images"
    json.dumps(found.facts)


def test_inspect_folder_unusable_images_are_lost(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded("png"))
    (tmp_path / "b.jpg").write_bytes(encoded("jpg")[:-300])
    (tmp_path / "c.jpg").write_bytes(encoded("jpg")[:-200])
    (tmp_path / "d.gif").write_bytes(gif(2))
    (tmp_path / "e.heic").write_bytes(b"-")
    (tmp_path / "f.png").write_bytes(encoded("png", smooth(40, 1)))
    (tmp_path / "._a.png").write_bytes(b"-")
    found = inspect_folder(tmp_path)
    assert (found.facts["images"], found.facts["usable"]) == (5, 1) and exit_status(found.findings) == 2
    assert [finding.text for finding in found.findings if finding.lost] == [
        "1 image: .heic is not read: e.heic",
        "2 images: the data end before the picture does: b.jpg, c.jpg",
        "1 image: GIF with several pictures, such as an animation: save the one to use as a separate file: d.gif",
        "1 image: image: 1x40 is too small, each side needs at least 2 pixels: f.png",
    ]


def test_inspect_images_orientation_depth_and_equal_names_are_remarks(tmp_path):
    (tmp_path / "a.jpg").write_bytes(turned_jpeg(6))
    (tmp_path / "A.png").write_bytes(encoded("png"))
    (tmp_path / "e\u0301.png").write_bytes(encoded("png", np.full((9, 9), 1000, np.uint16)))
    (tmp_path / "\u00e9.png").write_bytes(encoded("png", np.full((9, 9), 4000, np.uint16)))
    found = inspect_images(sorted(tmp_path.iterdir()), "4 images")
    assert exit_status(found.findings) == 0 and len(found.findings) == 3
    assert found.facts["orientations"] == {"upright": 3, "EXIF 6": 1}
    turned, deep, alike = (finding.text for finding in found.findings)
    assert turned == "1 image: used as stored, without the rotation by EXIF that viewers show: a.jpg"
    assert deep.endswith("10 of 16 bits in 1 image, 12 of 16 bits in 1 image")
    assert found.facts["bits"] == {"8 bits": 2, "10 of 16 bits": 1, "12 of 16 bits": 1}
    assert alike.startswith("4 images: names that differ") and "A.png, a.jpg" in alike


def test_turned_images_are_named_by_their_headers(tmp_path):
    (tmp_path / "a.jpg").write_bytes(turned_jpeg(6))
    (tmp_path / "b.png").write_bytes(encoded("png"))
    (remark,) = turned_images("images", [tmp_path / name for name in ("a.jpg", "b.png", "missing.jpg")])
    assert str(remark).startswith("images: 1 image: used as stored") and remark.text.endswith(": a.jpg") and not remark.lost
    assert turned_images("images", [tmp_path / "b.png"]) == ()


def test_inspect_folder_many_sizes_are_cut(tmp_path):
    for side in range(30):
        (tmp_path / f"{side}.png").write_bytes(encoded("png", smooth(10 + side, 20)))
    sizes = inspect_folder(tmp_path).facts["sizes"]
    assert len(sizes) == 21 and sizes["others"] == 10


def test_inspect_folder_without_images_is_refused(tmp_path):
    with pytest.raises(InputError, match="no images in this folder"):
        inspect_folder(tmp_path)
