# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import subprocess
import sys

import numpy as np
import pytest

from fcis_ros.errors import InputError
from fcis_ros.image_checks import check_image


@pytest.mark.parametrize(
    ("image", "named"),
    [
        (np.zeros((1, 1, 3), np.uint8), "1x1 is too small"),
        (np.zeros((0, 5, 3), np.uint8), "5x0 is too small"),
        (np.zeros((4, 4), np.uint8), r"\(4, 4\)"),
        (np.zeros((4, 4, 4), np.uint8), r"\(4, 4, 4\)"),
        (np.zeros((4, 4, 3), np.float32), "float32"),
        (np.zeros((2, 400, 3), np.uint8), "400x2 is too elongated"),
        ("picture.png", "str"),
    ],
)
def test_check_image_bad_image_is_named(image, named):
    with pytest.raises(InputError, match=named):
        check_image(image)


def test_frame_sources_import_no_pytorch():
    """Who publishes images need not wait for it, nor spend its memory."""
    code = "import sys, fcis_ros.data.frame_sources, fcis_ros.messages.image_messages; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
