# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest

from fcis_ros.results.latency_plot import latency_plot


@pytest.mark.parametrize("latencies", [[], [None], [5.0]])
def test_latency_plot_few_frames_gives_a_png(latencies):
    assert latency_plot([0.0] * len(latencies), latencies).startswith(b"\x89PNG")


def test_latency_plot_dropped_frame_is_marked_in_red():
    red = []
    for latencies in ([5.0, 6.0], [5.0, None]):
        pixels = cv2.imdecode(np.frombuffer(latency_plot([0.0, 0.1], latencies), np.uint8), cv2.IMREAD_COLOR).astype(int)
        red.append(int((pixels[..., 2] - pixels[..., 1] > 100).sum()))
    assert red[0] == 0 < red[1]
