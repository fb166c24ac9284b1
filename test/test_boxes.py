# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from fcis_ros import boxes

SIDE = st.floats(1, 500)
PLACE = st.floats(-300, 900)


def test_area_counts_first_and_last_pixel():
    assert boxes.area(torch.tensor([[0.0, 0.0, 15.0, 15.0], [3.0, 3.0, 3.0, 3.0]])).tolist() == [256, 1]


def test_iou_equals_hand_computation():
    a = torch.tensor([[0.0, 0.0, 9.0, 9.0]])
    b = torch.tensor([[5.0, 0.0, 14.0, 9.0], [10.0, 0.0, 19.0, 9.0], [0.0, 0.0, 9.0, 9.0]])
    assert torch.allclose(boxes.iou(a, b), torch.tensor([[50 / 150, 0, 1]]))


def test_decode_equals_hand_computation():
    box = torch.tensor([[0.0, 0.0, 15.0, 15.0]])  # 16 x 16 around 7.5; moved by half its width, twice as wide
    deltas = torch.tensor([[0.5, 0.0, 0.6931471805599453, 0.0]])
    assert torch.allclose(boxes.decode(box, deltas), torch.tensor([[0.0, 0.0, 31.0, 15.0]]), atol=1e-5)
    assert torch.isfinite(boxes.decode(box, torch.full((1, 4), 1e4))).all()


def test_clip_limits_boxes_to_the_image():
    box = torch.tensor([[-3.0, 2.0, 700.0, 480.0]])
    assert boxes.clip(box, height=480, width=640).tolist() == [[0, 2, 639, 479]]


@given(st.tuples(PLACE, PLACE, SIDE, SIDE), st.tuples(PLACE, PLACE, SIDE, SIDE))
def test_encode_is_inverted_by_decode(box, target):
    def to_tensor(v):
        return torch.tensor([[v[0], v[1], v[0] + v[2] - 1, v[1] + v[3] - 1]], dtype=torch.float64)

    a, b = to_tensor(box), to_tensor(target)
    assume((b[0, 2:] - b[0, :2] + 1).div(a[0, 2:] - a[0, :2] + 1).max() < 60)  # beyond, decode limits the growth
    assert torch.allclose(boxes.decode(a, boxes.encode(a, b)), b, atol=1e-6)


def test_grid_anchors_are_row_by_row():
    anchors = boxes.grid_anchors(torch.tensor([[0.0, 0, 15, 15]]), height=2, width=3, stride=16)
    assert anchors[:, 0].tolist() == [0, 16, 32, 0, 16, 32]
    assert anchors[:, 1].tolist() == [0, 0, 0, 16, 16, 16]
