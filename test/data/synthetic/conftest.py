# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import pytest

from fcis_ros.data.synthetic.canvas import Canvas, PinholeCamera


@pytest.fixture
def canvas() -> Canvas:
    """An empty canvas of 360 x 480 pixels for object 7; the camera looks straight ahead, 1.2 m above the road."""
    canvas = Canvas(PinholeCamera(0.0, 1.2, 0.0, 0.0, 480.0, 170.0, 360, 480))
    canvas.owner = 7
    return canvas
