# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from fcis_ros.data.frame_sources import SYNTHETIC
from fcis_ros.errors import InputError
from fcis_ros.model.checkpoint import default_checkpoint

pytestmark = pytest.mark.ros


@pytest.fixture(scope="session")
def checks():
    from fcis_ros.ros import launch_checks

    return launch_checks


@pytest.mark.parametrize(
    ("text", "expected"),
    [("image_raw", "/robot/image_raw"), ("/front/image", "/front/image"), ("a__b/_c", "/robot/a__b/_c"),
     *((wrong, None) for wrong in ("a//b", "/a/", "1a", "a/1b", "a b", "", "/", "ä", "~/img", "~", "{node}/x", "a/{ns}"))],
)  # fmt: skip
def test_topic_is_by_rules_of_ros(checks, text, expected):
    if expected:
        assert checks.topic("image_topic", text, "/robot") == expected
        return
    with pytest.raises(InputError, match="argument image_topic: ") as error:
        checks.topic("image_topic", text, "/robot")
    assert "\n" not in str(error.value) and ".c:" not in str(error.value)


@given(text=st.text(st.sampled_from("a1_/~{} ä"), max_size=8))
def test_topic_any_text_is_full_name_or_refused(checks, text):
    try:
        full = checks.topic("image_topic", text, "/ns")
    except InputError:
        return
    assert full == (text if text.startswith("/") else f"/ns/{text}") and "//" not in full and not full.endswith("/")


@pytest.mark.parametrize(("text", "expected"), [("", "/"), ("robot", "/robot"), ("/a/b", "/a/b"), ("a b", None), ("a/", None)])
def test_full_namespace_is_by_rules_of_ros(checks, text, expected):
    if expected:
        assert checks.full_namespace(text) == expected
        return
    with pytest.raises(InputError, match=f"argument namespace: {text!r} is not a namespace: namespace must not"):
        checks.full_namespace(text)


@pytest.mark.parametrize("names", [["a b"], ["front", "front"], ["masks"], ["1st"]])
def test_cameras_bad_names_are_refused(checks, names):
    with pytest.raises(InputError, match="^argument cameras: "):
        checks.cameras(names, "none", "image_raw", "/")


def test_cameras_one_reads_the_source(checks):
    checks.cameras([], "0", "image_raw", "/")
    checks.cameras(["front", "left"], "none", "image_raw", "/")
    checks.cameras(["front", "left"], "0", "/robot/left/image", "/robot")
    with pytest.raises(InputError, match="do not read 'left/image_raw', where the source publishes: .*front/image"):
        checks.cameras(["front", "left"], "0", "left/image_raw", "/robot")


@pytest.mark.parametrize("text", ["", "auto", "cpu", "cuda", "cuda:12"])
def test_device_known_names_are_accepted(checks, text):
    checks.device(text)


@pytest.mark.parametrize("text", ["gpu", "cuda:", "cuda:x", "CPU", "cpu "])
def test_device_other_names_are_refused(checks, text):
    with pytest.raises(InputError, match="argument device: "):
        checks.device(text)


def test_model_checkpoint_and_package_are_accepted(checks, tmp_path):
    checks.model(str(default_checkpoint()))
    with zipfile.ZipFile(tmp_path / "net.pt2", "w") as package:
        package.writestr("version", "1")
    checks.model(str(tmp_path / "net.pt2"))


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.safetensors", b""), ("a.safetensors", b"nothing of it"), ("a.safetensors", b"\xff" * 64), ("a.pt2", b"no zip"),
     ("a.safetensors", (9).to_bytes(8, "little") + b'["a", 3] '), ("a.safetensors", b"<html>git-lfs</html>"),
     ("a.safetensors", (20).to_bytes(8, "little") + b'{"__metadata__": {}}'), ("a.safetensors", None)],
)  # fmt: skip
def test_model_other_file_is_refused(checks, tmp_path, name, content):
    path = tmp_path / name
    if content is None:
        save_file({"weight": np.zeros(3, np.float32)}, path)  # of another project
    else:
        path.write_bytes(content)
    with pytest.raises(InputError, match="argument model: .* is not a (checkpoint|package)"):
        checks.model(str(path))


@given(content=st.binary(max_size=60))
def test_model_any_bytes_are_refused(checks, tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.safetensors"
    path.write_bytes(content)
    with pytest.raises(InputError, match="argument model: "):
        checks.model(str(path))


@pytest.mark.parametrize(
    ("text", "wrong"),
    [("", "is not XML"), ("<dds/>", "has no <profiles>"), ("<dds><profiles/></dds>", "has no <profiles>"), ("{}", "is not XML"),
     ('<a xmlns="x"><profiles><participant/></profiles></a>', ""), ("<profiles><participant/></profiles>", "")],
)  # fmt: skip
def test_fastdds_profile_has_profiles(checks, tmp_path, text, wrong):
    path = tmp_path / "profile.xml"
    path.write_text(text)
    if not wrong:
        checks.fastdds_profile(str(path))
        return
    with pytest.raises(InputError, match=f"argument fastdds_profile: .*{wrong}"):
        checks.fastdds_profile(str(path))


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("score_threshold: 0.25, cameras: [], classes: [car], device: cpu, max_age_ms: 100, unknown: 7, track: yes", ""),
        ("score_threshold: 7.5", "score_threshold: 7.5 is not within 0.0 to 1.0"),
        ("score_threshold: 1", "score_threshold: 1 is not of type float"),
        ("threads: 1.5", "threads: 1.5 is not of type int"),
        ("track: 1", "track: 1 is not of type bool"),
        ("classes: car", "classes: 'car' is not a list of names"),
        ("transport: pigeon", "transport: 'pigeon' is not one of auto, raw, compressed"),
    ],
)
def test_parameters_values_are_checked(checks, tmp_path, text, wrong):
    path = tmp_path / "params.yaml"
    path.write_text(f"/**:\n  ros__parameters: {{{text}}}\n")
    if not wrong:
        assert checks.parameters(str(path), "/fcis_node")["classes"] == ["car"]
        return
    with pytest.raises(InputError, match="argument params_file: ") as error:
        checks.parameters(str(path), "/fcis_node")
    assert str(error.value).endswith(wrong)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "argument source: '' does not exist"),
        ("/nowhere", "does not exist"),
        ("1234", "'1234' does not exist"),
        ("{folder}", "no images in this folder"),
        ("{folder}/a.txt", "not a video"),
        ("{folder}/a.mcap", "needs a library"),
        ("gopher://host/x", "is a URL of none of rtsp"),
        ("rtsp:///stream", "names no host"),
        ("rtsp://user:secret@", "names no host"),
    ],
)
def test_source_unusable_is_named(checks, tmp_path, text, wrong):
    (tmp_path / "a.txt").write_text("no video")
    if "mcap" in text:
        (tmp_path / "a.mcap").touch()

    def open_recording(path, topic):
        raise InputError(f"{path}: needs a library")

    with pytest.raises(InputError, match="argument source: ") as error:
        checks.source("source", text.format(folder=tmp_path), "", open_recording)
    assert wrong in str(error.value) and "secret" not in str(error.value)


@pytest.mark.parametrize("text", [SYNTHETIC, "none", "0", "rtsp://user:secret@host/stream", "udp://:5000", "HTTP://host/a"])
def test_source_that_only_the_node_can_open_is_accepted(checks, text):
    checks.source("source", text, "", None)


def test_source_recording_without_library_is_refused(checks, tmp_path):
    (tmp_path / "a.db3").touch()
    with pytest.raises(InputError, match="argument source: .*recordings need rosbags"):
        checks.source("source", str(tmp_path / "a.db3"), "", None)
