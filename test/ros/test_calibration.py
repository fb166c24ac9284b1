# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
from types import SimpleNamespace

import pytest

from fcis_ros.errors import InputError
from fcis_ros.ros import calibration


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_fill_calibration_file_is_read(tmp_path, scheme, calibration_text):
    (tmp_path / "front.yaml").write_text(calibration_text)
    info = SimpleNamespace()
    calibration.fill(info, f"{scheme}{tmp_path}/front.yaml", "front")
    assert (info.width, info.height, info.distortion_model) == (640, 480, "plumb_bob")
    assert info.k == [500, 0, 320, 0, 501, 240, 0, 0, 1] and info.d == [0.1, -0.2, 0, 0, 0]
    assert info.r[0] == 1 and len(info.p) == 12


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda good: None, "No such file"),
        (lambda good: "", "not a calibration"),
        (lambda good: "just a word", "not a calibration"),
        (lambda good: "a: [", "not a calibration"),
        (lambda good: good.replace("camera_matrix", "matrix"), "'camera_matrix' is missing"),
        (lambda good: good.replace("500, 0, 320, 0, 501", "500, 0, 320, 0"), "camera_matrix has 8 numbers, not 9"),
        (lambda good: good.replace("0.1, -0.2", ".nan, -0.2"), "not finite"),
    ],
)
def test_fill_bad_calibration_is_one_line(tmp_path, make, named, calibration_text):
    path = tmp_path / "front.yaml"
    if (text := make(calibration_text)) is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=named) as error:
        calibration.fill(SimpleNamespace(), str(path), "front")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("cal/front.yaml", "cal/front.yaml"),
        ("/a b/%20.yaml", "/a b/%20.yaml"),
        ("file:///a%20b/c.yaml", "/a b/c.yaml"),
        ("file:///cal/${NAME}.yaml", "/cal/front.yaml"),
        ("file://${ROS_HOME}/camera_info/${NAME}.yaml", "/ros home/camera_info/front.yaml"),
        ("${ROS_HOME}/x.yaml", "/ros home/x.yaml"),
        ("package://robot/cal/${NAME}%20left.yaml", "/share/robot/cal/front left.yaml"),
    ],
)
def test_resolve_url_by_rules_of_camera_info_manager(monkeypatch, url, path):
    monkeypatch.setenv("ROS_HOME", "/ros home")
    monkeypatch.setattr(calibration, "get_package_share_directory", lambda name: f"/share/{name}")
    assert str(calibration.resolve(url, "front")) == path


def test_resolve_ros_home_is_in_home_folder_by_default(monkeypatch):
    monkeypatch.delenv("ROS_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/robot")
    assert str(calibration.resolve("file://${ROS_HOME}/a.yaml", "front")) == "/home/robot/.ros/a.yaml"


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("package://no_such_package/a.yaml", "the package 'no_such_package' is not installed"),
        ("package:///a.yaml", "the package '' is not installed"),
        ("flash:///a.yaml", "expected file:///PATH, package://PACKAGE/PATH or a path"),
        ("file://a.yaml", "expected file:///PATH"),
        ("/cal/${SERIAL}.yaml", r"\$\{SERIAL\} is unknown"),
    ],
)
def test_resolve_unusable_url_is_named(url, named):
    with pytest.raises(InputError, match=f"camera_info_url .*: {named}"):
        calibration.resolve(url, "front")
