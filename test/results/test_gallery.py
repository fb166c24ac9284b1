# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Pictures of the selected frames, and of no others."""

import cv2
import numpy as np
from bag_evaluations import HEIGHT, WIDTH, counted, instances

from fcis_ros.metrics.coco_results import encode_mask
from fcis_ros.results.gallery import MISSED, Gallery

BOX = np.zeros((HEIGHT, WIDTH), bool)
BOX[20:60, 30:90] = True


def test_gallery_frames_no_longer_selected_are_deleted(tmp_path):
    (tmp_path / "pictures").mkdir()
    gallery, image = Gallery(tmp_path, 0.5, [counted(0, 1)]), np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for index in range(1, 12):
        gallery.add(counted(index, 1 + index), image, instances([], [], []), [])
    names = [path.name for path in sorted((tmp_path / "pictures").iterdir())]
    assert names == [f"00000-{index:08d}.jpg" for index in range(4, 12)]
    for frame in (counted(12, 20, problem="damaged"), counted(13, 1)):
        gallery.add(frame, image, instances([], [], []), [])
    assert len(list((tmp_path / "pictures").iterdir())) == 8


def test_gallery_undetected_object_has_a_red_outline(tmp_path):
    (tmp_path / "pictures").mkdir()
    gallery, grey = Gallery(tmp_path, 0.5, ()), np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    red = []
    for index, row in enumerate(([1, 0, 2400.0, 0.5], [1, 1, 2400.0, 0.0], [1, 0, 2400.0, 0.4])):
        frame = counted(index, false_negatives=1, largest=1.0, objects=[row])
        gallery.add(frame, grey, instances([(5, 5, 15, 15)], [0.4], [1]), [{"segmentation": encode_mask(BOX)}])
        drawn = cv2.imread(str(tmp_path / f"pictures/00000-{index:08d}.jpg"))[..., ::-1].astype(int)
        red.append(int((abs(drawn - MISSED).max(-1) < 60).sum()))
        assert abs(drawn[5:15, 5:15] - 90).max() < 10  # the instance has a lower score
    assert red[:2] == [0, 0] and red[2] > 100
