# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import json

import pytest
from coco_files import content, written

from fcis_ros.data.coco_entries import read_entries
from fcis_ros.errors import InputError


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("images"), "no list 'images'"),
        (lambda c: c.update(annotations={}), "no list 'annotations'"),
        (lambda c: c["images"][1].pop("file_name"), r"images\[1\] has no 'file_name'"),
        (lambda c: c["annotations"][2].pop("image_id"), r"annotations\[2\] has no 'image_id'"),
        (lambda c: c["categories"].append("cat"), r"categories\[2\] has no 'id'"),
        (lambda c: c["images"][0].update(height="24"), "wrong type of 'height': '24'"),
        (lambda c: c["images"][0].update(width=0), "wrong type of 'width': 0"),
        (lambda c: c["images"][0].update(id=[1]), "wrong type of 'id'"),
        (lambda c: c["images"][0].update(width=float("nan")), "wrong type of 'width': nan"),
        (lambda c: c["images"][0].update(width=10**12), "wrong type of 'width'"),
        (lambda c: c["images"][0].update(file_name="a\0.png"), "control character in 'file_name'"),
        (lambda c: c["images"][0].update(file_name="a\n.png"), "control character in 'file_name'"),
        (lambda c: c["images"][0].update(file_name="\ud800.png"), "control character in 'file_name'"),
        (lambda c: c["images"][0].update(file_name="x/" + 300 * "a"), "wrong type of 'file_name'"),
        (lambda c: c["categories"][0].update(name="a\u2028b"), "control character in 'name'"),
        (lambda c: c["annotations"][0].update(bbox=[1, 2, 3]), r"annotations\[0\] has the wrong type of 'bbox'"),
        (lambda c: c["annotations"][0].update(bbox=[1, 2, 3, float("inf")]), "wrong type of 'bbox'"),
        (lambda c: c["annotations"][0].update(area=float("nan")), "wrong type of 'area': nan"),
        (lambda c: c["annotations"][0].update(area=-1), "wrong type of 'area': -1"),
        (lambda c: c["annotations"][0].update(iscrowd="0"), "wrong type of 'iscrowd': '0'"),
    ],
)
def test_read_entries_wrong_content_names_the_entry(tmp_path, change, message):
    wrong = content()
    change(wrong)
    with pytest.raises(InputError, match=f"instances.json: .*{message}") as caught:
        read_entries(written(tmp_path / "instances.json", wrong))
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"{", "not JSON"),
        (b"", "not JSON"),
        (b"[1]", "no list 'images'"),
        (b"3", "no list"),
        (bytes(range(128, 256)), "not JSON"),
        (b"[" * 1_000_000, "not JSON"),
        (json.dumps(content()).encode("utf-16"), "encoded as UTF-16"),
        (None, "no such annotation file"),
        ("folder", "cannot be read"),
    ],
    ids=["cut", "empty", "list", "number", "binary", "deep nesting", "utf-16", "missing", "folder"],
)
def test_read_entries_unusable_file_names_it(tmp_path, data, message):
    path = tmp_path / "a.json"
    if data == "folder":
        path.mkdir()
    elif data is not None:
        path.write_bytes(data)
    with pytest.raises(InputError, match=f"a.json: .*{message}") as error:
        read_entries(path)
    assert len(str(error.value).splitlines()) == 1


def test_read_entries_byte_order_mark_is_no_part_of_the_content(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content()), encoding="utf-8-sig")
    assert read_entries(path) == content()


@pytest.mark.parametrize("character", ["\u00a0", "\u202f", "\u3000", "\u200b", "\u200d", "\U0001f468\u200d\U0001f469"])
def test_read_entries_blanks_and_invisible_characters_are_parts_of_names(tmp_path, character):
    named = content()
    named["images"][0]["file_name"] = named["categories"][0]["name"] = f"a{character}b"
    assert read_entries(written(tmp_path / "a.json", named)) == named
