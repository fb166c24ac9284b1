# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""What ``fcis check`` takes a path for."""

import errno
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fcis_ros.cli import input_kinds as kinds
from fcis_ros.cli.input_kinds import kind_of
from fcis_ros.errors import InputError


def touched(path, content=b""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.mcap", b"", kinds.RECORDING),
        ("a.bag", b"", kinds.RECORDING),
        ("a.JPG", b"", kinds.IMAGE),
        ("a.gif", b"", kinds.IMAGE),
        ("a.mp4", b"", kinds.VIDEO),
        ("a.safetensors", b"", kinds.CHECKPOINT),
        ("a.pt2", b"", kinds.PACKAGE),
        ("a.json", b'{"images": []}', kinds.ANNOTATIONS),
        ("a.json", b'\xef\xbb\xbf {"annotations": [], "model": "x", "steps": 1}', kinds.ANNOTATIONS),
        ("a.json", b'{"info": "' + b"x" * kinds.CONFIGURATION_BYTES, kinds.ANNOTATIONS),
        ("a.json", b'{"model": "x", "steps": 1}', kinds.TRAINING_CONFIG),
        ("a.json", b'{"class_names": ["car"]}', kinds.MODEL_CONFIG),
    ],
)
def test_kind_of_file_follows_from_name_and_keys(tmp_path, name, content, kind):
    assert kind_of(str(touched(tmp_path / name, content))) == kind


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["metadata.yaml"], kinds.RECORDING),
        (["drive_0.db3", "notes.txt"], kinds.RECORDING),
        (["1.png", "2.gif"], kinds.IMAGES),
        (["2.gif"], kinds.IMAGES),
        (["monday/metadata.yaml", "tuesday/x.mcap", "notes.txt"], kinds.RECORDINGS),
        (["run.json", "input_bag/metadata.yaml"], kinds.EVALUATION),
        (["part-1-of-2/run.json"], kinds.SHARDS),
        (["state.safetensors", "curves.png"], kinds.TRAINING_RUN),
        (["model.safetensors", "log.jsonl", "curves.png"], kinds.TRAINING_RUN),
    ],
)
def test_kind_of_folder_follows_from_what_it_holds(tmp_path, names, kind):
    for name in names:
        touched(tmp_path / name)
    assert kind_of(str(tmp_path)) == kind


def test_kind_of_url_is_a_recording():
    assert kind_of("s3://bucket/drive/") == kinds.RECORDING


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.txt", b"", "of no kind that a command reads"),
        ("a.json", b"[]", "a list, such as results of `fcis predict`"),
        ("a.json", b"", "not JSON"),
        ("a.json", b"7", "it has int"),
        ("a.json", b'{"a": ' * 100_000, "nested more than"),
        ("a.json", b'{"categories": 1}', "it has 'categories'"),
        ("out/report.json", b'{"frames_in": 3}', "check its folder, .*out"),
        ("out/run.json", b'{"what": {}, "state": ""}', "check its folder, .*out"),
        ("folder/.hidden", b"", "no such file or folder"),
    ],
)
def test_kind_of_other_file_is_refused(tmp_path, name, content, says):
    touched(tmp_path / name, content)
    path = tmp_path / ("nowhere" if name == "folder/.hidden" else name)
    with pytest.raises(InputError, match=says):
        kind_of(str(path))


def test_kind_of_unreadable_path_is_refused(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="cannot be read \\(File name too long\\)"):
        kind_of("a" * 300)

    def denied(folder):
        raise PermissionError(errno.EACCES, "Permission denied", str(folder))

    monkeypatch.setattr(Path, "iterdir", denied)
    with pytest.raises(InputError, match=f"{tmp_path}: cannot be read"):
        kind_of(str(tmp_path))


def test_kind_of_other_folder_says_what_it_holds(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="it holds nothing"):
        kind_of(str(tmp_path / "empty"))
    touched(tmp_path / "camvid/val/a.png")
    with pytest.raises(InputError, match="it holds camvid, empty"):
        kind_of(str(tmp_path))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=60)
    | st.recursive(st.none() | st.text(max_size=3), st.lists).map(lambda value: json.dumps(value).encode())
)
def test_kind_of_any_json_file_is_known_or_refused_in_one_line(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    try:
        assert kind_of(str(tmp_path / "a.json")) in vars(kinds).values()
    except InputError as error:
        assert "\n" not in str(error) and "a.json" in str(error)
