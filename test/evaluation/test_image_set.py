# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
from bag_evaluations import Network

from fcis_ros.evaluation.image_set import predict_images


def test_predict_images_damaged_file_is_named_among_the_others(files):
    files[1].path.write_bytes(b"no image")
    predicted = list(predict_images(files, Network(), 0.0))
    assert [frame.decoded.frame.id for frame in predicted] == [10, 11, 12]
    assert [frame.instances is None for frame in predicted] == [False, True, False]
    assert predicted[1].decoded.problem == f"{files[1].path}: not an image that can be decoded"
