# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""What only a device can show: replays with changed inputs, streams, a second device, limits, and the golden edges of bins."""

import pytest
import torch
from golden_spans import GOLDEN
from operator_inputs import assert_equal, channels_of, spoil

from fcis_ros import ops
from fcis_ros.ops import patent, reference

pytestmark = pytest.mark.cuda

DEVICE = "cuda"
BOTH = pytest.mark.parametrize("module", [ops, patent], ids=["grid", "native"])


def stage(seed: int, classes: int, dtype=torch.float32, stride=16) -> tuple[torch.Tensor, ...]:
    """Score maps and box maps of two images, channels-last, 200 ROIs with labels and scores: the arguments of ``run``."""
    generator = torch.Generator().manual_seed(seed)
    height, width = 30, 45

    def maps(channels: int) -> torch.Tensor:
        return torch.randn(2, channels, height, width, generator=generator).to(dtype).to(memory_format=torch.channels_last)

    corner = torch.rand(200, 2, generator=generator) * torch.tensor([width, height]) * stride * 0.9
    far = corner + torch.rand(200, 2, generator=generator) ** 2 * 40 * stride - stride / 2
    rois = torch.cat([torch.randint(0, 2, (200, 1), generator=generator).float(), corner, far], dim=1)
    labels = torch.randint(-1, classes, (200,), generator=generator)
    scores = torch.rand(200, classes, generator=generator)
    score_maps = spoil("class_logits", maps(channels_of("class_logits", classes, 7)), classes)
    return score_maps, maps(196), rois, labels, scores


def run(module, stride, score_maps, box_maps, rois, labels, scores) -> tuple[torch.Tensor, ...]:
    """Every operator on maps."""
    return (
        module.class_logits(score_maps, rois, scores.shape[1], 7, 21, stride),
        module.mask_logits(score_maps, rois, labels, 7, 21, stride),
        module.best_class_masks(score_maps, rois, scores, 7, 21, stride),
        module.box_deltas(box_maps, rois, 7, 21, stride),
    )


@BOTH
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("classes", [4, 81, 200])
def test_graph_replay_changed_inputs_are_read(module, classes, dtype):
    """With few classes and with many, which have separate kernels."""
    given = [tensor.to(DEVICE) for tensor in stage(0, classes, dtype)]
    warm = torch.cuda.Stream()
    warm.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(warm):
        run(module, 16, *given)
    torch.cuda.current_stream().wait_stream(warm)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        actual = run(module, 16, *given)
    for seed in (1, 2, 1):
        for computed, new in zip(given, stage(seed, classes, dtype), strict=True):
            computed.copy_(new)
        graph.replay()
        torch.cuda.synchronize()
        assert_equal(actual, run(module, 16, *stage(seed, classes, dtype)), atol=1e-5, rtol=1e-4)


@BOTH
def test_side_stream_late_inputs_are_waited_for(module):
    """The inputs arrive late on a stream that is not the current one elsewhere; scratch memory is used again at once."""
    host = [tensor.pin_memory() if DEVICE == "cuda" else tensor for tensor in stage(3, 21)]
    late, stream = torch.randn(4096, 4096, device=DEVICE), torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    actual = []
    with torch.cuda.stream(stream):
        for _ in range(20):
            late = (late @ late).clamp(-1, 1)
        for _ in range(5):
            actual.append(run(module, 16, *(tensor.to(DEVICE, non_blocking=True) for tensor in host)))
    stream.synchronize()
    expected = run(module, 16, *host)
    for computed in actual:
        assert_equal(computed, expected, atol=1e-5, rtol=1e-4)


@BOTH
def test_other_device_than_current_computes_there(module):
    if torch.cuda.device_count() < 2:
        pytest.skip("one CUDA device")
    given = stage(4, 21)
    assert torch.cuda.current_device() == 0
    actual = run(module, 16, *(tensor.to("cuda:1") for tensor in given))
    assert {computed.device.index for computed in actual} == {1} and torch.cuda.current_device() == 0
    assert_equal(actual, run(module, 16, *given), atol=1e-5, rtol=1e-4)


@BOTH
@pytest.mark.parametrize("stride", [1, 8, 12, 32])
def test_assembly_any_stride_equals_cpu(module, stride):
    given = stage(5, 21, stride=stride)
    score_maps = given[0].to(DEVICE, copy=True).requires_grad_()
    actual = run(module, stride, score_maps, *(tensor.to(DEVICE) for tensor in given[1:]))
    assert_equal([computed.detach() for computed in actual], run(module, stride, *given), atol=1e-5, rtol=1e-4)
    grad = torch.randn(actual[0].shape, generator=torch.Generator().manual_seed(6))
    actual[0].backward(grad.to(DEVICE))
    theirs = given[0].clone().requires_grad_()
    module.class_logits(theirs, given[2], 21, 7, 21, stride).backward(grad)
    torch.testing.assert_close(score_maps.grad.cpu(), theirs.grad, atol=1e-4, rtol=1e-3)


def test_box_deltas_golden_extents_give_released_edges():
    """Box maps that hold the number of their column: a mean of spans tells where they begin and end."""
    width = 63
    maps = torch.arange(width, dtype=torch.float32).expand(1, 4 * 49, 1, width).contiguous(memory_format=torch.channels_last)
    extents = [(low, high) for low in range(0, 1000, 37) for high in range(low, 1000)] + list(GOLDEN)
    rois = torch.tensor([[0.0, low, 0.0, high, 15.0] for low, high in extents])
    actual = ops.box_deltas(maps.to(DEVICE), rois.to(DEVICE), 7, 21, 16).cpu()
    begin, end = reference.span_edges(rois[:, 1], rois[:, 3], 21, width, 16)
    for extent, computed, theirs in zip(extents[-len(GOLDEN) :], begin[-len(GOLDEN) :], end[-len(GOLDEN) :], strict=True):
        assert (computed.tolist(), theirs.tolist()) == tuple(map(list, GOLDEN[extent]))
    mean = torch.where(end > begin, (begin + end - 1) / 2, 0.0).double().mean(dim=1)
    torch.testing.assert_close(actual.double(), mean[:, None].expand(-1, 4), atol=1e-4, rtol=0)


def test_class_logits_maps_beyond_4_gib_equal_small_maps():
    """Offsets of 32 bits do not reach the last rows of these; results equal those of small maps with the same values."""
    classes, side = 81, 380
    channels = channels_of("class_logits", classes, 7)
    rows = torch.randn(1, channels, 8, side, generator=torch.Generator().manual_seed(7))
    maps = torch.zeros(1, channels, side, side, device=DEVICE).contiguous(memory_format=torch.channels_last)
    maps[:, :, -8:] = rows.to(DEVICE)
    assert maps.numel() * maps.element_size() > 2**32
    top = 16.0 * (side - 8)
    rois = torch.tensor([[0.0, 16.0 * x, 0.0, 16.0 * x + 300, 127.0] for x in range(0, side - 20, 30)])
    lower = rois + torch.tensor([0.0, 0.0, top, 0.0, top])
    small = rows.contiguous(memory_format=torch.channels_last)
    for module in (ops, patent):
        actual = module.class_logits(maps, lower.to(DEVICE), classes, 7, 21, 16)
        expected = module.class_logits(small, rois, classes, 7, 21, 16)
        torch.testing.assert_close(actual.cpu(), expected, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("resample", [0, 21])
def test_vote_masks_small_capacity_keeps_whole_instances(resample):
    """The winners that fit are whole, the others have none, and the count tells that some are missing."""
    generator = torch.Generator().manual_seed(8)
    corner = (torch.rand(30, 2, generator=generator) * torch.tensor([500.0, 300.0])).int()
    boxes = torch.cat([corner, corner + 4 + (torch.rand(30, 2, generator=generator) * 100).int()], dim=1).int()
    masks, index = torch.rand(30, 21, 21, generator=generator), torch.diag(torch.arange(1, 31)).int() - 1
    arguments = (boxes, masks, index, torch.eye(30), 420, 620, 0.4, True, resample)
    needed = int(ops.vote_masks(*arguments)[2][-1])
    for capacity in (0, needed // 3, needed - 1, needed, needed + 100):
        expected = ops.vote_masks(*arguments, capacity)
        on_device = (argument.to(DEVICE) if isinstance(argument, torch.Tensor) else argument for argument in arguments)
        actual = ops.vote_masks(*on_device, capacity)
        assert int(actual[2][-1]) == needed
        assert_equal(actual[::2], expected[::2])
        for first, last in zip([0, *expected[2][:-1].tolist()], expected[2].tolist(), strict=True):
            if last <= capacity:
                assert torch.equal(actual[1][first:last].cpu(), expected[1][first:last])
