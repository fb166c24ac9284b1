# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import pytest
from bag_evaluations import Network

from fcis_ros.errors import InputError
from fcis_ros.evaluation.image_set import predict_images


def test_predict_images_damaged_file_is_named_after_the_others(files):
    files[2].path.write_bytes(b"no image")
    predicted = predict_images(files, Network(), 0.0)
    assert [next(predicted).file.id for _ in range(2)] == [10, 11]
    with pytest.raises(InputError, match="2.png"):
        next(predicted)
