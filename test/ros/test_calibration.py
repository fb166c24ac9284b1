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
    calibration.fill(info, f"{scheme}{tmp_path}/front.yaml")
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
        calibration.fill(SimpleNamespace(), str(path))
    assert "\n" not in str(error.value)
