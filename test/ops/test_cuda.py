# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The CUDA operators on a device: against the CPU's answers, without waiting, captured in a graph."""

import pytest
import torch
from operator_inputs import LAYOUTS, NAMES, assert_equal, channels_of, shifted, spoil

from fcis_ros import ops
from fcis_ros.ops import patent

pytestmark = pytest.mark.cuda

GEOMETRY = (7, 21, 16)
EACH_NAME = pytest.mark.parametrize("name", NAMES)


def inputs(name: str, classes: int, dtype=torch.float32, layout=torch.channels_last, count=300):
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(2, channels_of(name, classes, 7), 38, 63, generator=generator).to(dtype).to(memory_format=layout)
    corner = torch.rand(count, 2, generator=generator) * torch.tensor([1100.0, 700.0]) - 50
    side = torch.rand(count, 2, generator=generator) ** 2 * 900 - 10
    rois = torch.cat([torch.randint(0, 2, (count, 1), generator=generator).float(), corner, corner + side], dim=1)
    rois[0, 1], rois[1, 0], rois[2, 4] = torch.nan, -1, torch.inf
    labels = torch.randint(-1, classes, (count,), generator=generator)
    return spoil(name, maps, classes), rois, {"class_logits": (classes,), "mask_logits": (labels,), "box_deltas": ()}[name]


def on_device(value):
    """A tensor, or all of a tuple, on the GPU."""
    if isinstance(value, tuple):
        return tuple(map(on_device, value))
    return value.cuda() if isinstance(value, torch.Tensor) else value


@EACH_NAME
@LAYOUTS
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("classes", [4, 21, 81])
@pytest.mark.parametrize("ops", [ops, patent], ids=["grid", "native"])
def test_assembly_on_gpu_equals_cpu(ops, name, layout, dtype, classes):
    maps, rois, arguments = inputs(name, classes, dtype, layout)
    expected = getattr(ops, name)(maps, rois, *arguments, *GEOMETRY)
    computed = maps.cuda().requires_grad_()
    value = getattr(ops, name)(computed, rois.cuda(), *on_device(arguments), *GEOMETRY)
    torch.testing.assert_close(value.detach().cpu(), expected, atol=1e-5, rtol=1e-4)
    grad = torch.randn(value.shape, generator=torch.Generator().manual_seed(1))
    value.backward(grad.cuda())
    theirs = maps.clone().requires_grad_()
    getattr(ops, name)(theirs, rois, *arguments, *GEOMETRY).backward(grad)
    tolerance = {"atol": 1e-4, "rtol": 1e-3} if dtype == torch.float32 else {"atol": 2e-2, "rtol": 2e-2}
    torch.testing.assert_close(computed.grad.cpu(), theirs.grad, **tolerance)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("ops", [ops, patent], ids=["grid", "native"])
def test_assembly_unaligned_maps_equal_cpu(ops, dtype):
    """Pairs in two loads instead of one."""
    for name in ("class_logits", "mask_logits"):
        maps, rois, arguments = inputs(name, 21, dtype)
        actual = getattr(ops, name)(shifted(maps.cuda()), rois.cuda(), *on_device(arguments), *GEOMETRY)
        expected = getattr(ops, name)(maps, rois, *arguments, *GEOMETRY)
        torch.testing.assert_close(actual.cpu(), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("limit", [0, 7, 300])
def test_nms_and_class_nms_on_gpu_equal_cpu(limit):
    _, rois, _ = inputs("box_deltas", 1, count=3000)
    boxes = rois[:, 1:].contiguous()
    scores = torch.rand(3000, 9, generator=torch.Generator().manual_seed(2)).round(decimals=2)
    one = scores[:, 1].contiguous()
    assert torch.equal(ops.nms(boxes.cuda(), one.cuda(), 0.7, limit).cpu(), ops.nms(boxes, one, 0.7, limit))
    ours = ops.class_nms(boxes.cuda(), scores.cuda(), 0.3, 0.1, limit)
    assert_equal(ours, ops.class_nms(boxes, scores, 0.3, 0.1, limit))


@LAYOUTS
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("classes", [4, 81])
def test_best_class_masks_on_gpu_equal_cpu(layout, dtype, classes):
    maps, rois, _ = inputs("mask_logits", classes, dtype, layout)
    scores = torch.rand(len(rois), classes, generator=torch.Generator().manual_seed(5)).round(decimals=1)
    expected = ops.best_class_masks(maps, rois, scores, *GEOMETRY)
    ours = ops.best_class_masks(maps.cuda(), rois.cuda(), scores.cuda(), *GEOMETRY)
    torch.testing.assert_close(ours.cpu(), expected, atol=2e-6, rtol=1e-5)


def test_box_operators_on_gpu_equal_cpu():
    """To the bit but for exp(), whose last bit is float64 and seldom seen in float32."""
    generator = torch.Generator().manual_seed(3)
    logits, deltas = torch.randn(24, 38, 62, generator=generator) * 4, torch.randn(48, 38, 62, generator=generator)
    corner = torch.rand(12, 2, generator=generator) * 300 - 200
    anchors = torch.cat([corner, corner + torch.rand(12, 2, generator=generator) * 400], dim=1)
    expected = ops.decode_anchors(logits, deltas, anchors, 16, 600, 1000, 2.0)
    ours = ops.decode_anchors(*(t.cuda() for t in (logits, deltas, anchors)), 16, 600, 1000, 2.0)
    assert_equal(ours, expected, rtol=2e-7)
    for computed, theirs in zip(ours, expected, strict=True):
        assert (computed.cpu() != theirs).float().mean() < 1e-4
    _, rois, _ = inputs("box_deltas", 1, count=600)
    moves, stds = torch.randn(600, 4, generator=generator), (0.1, 0.1, 0.2, 0.2)
    moved = ops.decode_rois(rois.cuda(), moves.cuda(), stds, 600, 1000)
    torch.testing.assert_close(moved.cpu(), ops.decode_rois(rois, moves, stds, 600, 1000), rtol=2e-7, atol=0, equal_nan=True)
    scores = torch.rand(600, 81, generator=generator)
    scores[5, 7] = torch.inf
    boxes = rois[:, 1:].contiguous()
    mapped = ops.rois_to_image(boxes, scores, 1.5, 2.0, 400, 660)
    assert_equal(ops.rois_to_image(boxes.cuda(), scores.cuda(), 1.5, 2.0, 400, 660), mapped)
    winners, labels = ops.class_nms(mapped[0], scores, 0.3, 0.5, 100)
    expected = ops.vote_weights(mapped[0], scores, winners, labels, 0.5)
    assert_equal(ops.vote_weights(*(t.cuda() for t in (mapped[0], scores, winners, labels)), 0.5), expected)


@pytest.mark.parametrize("binarise_first", [True, False])
@pytest.mark.parametrize("resample", [0, 21])
def test_mask_operators_on_gpu_equal_cpu(binarise_first, resample):
    generator = torch.Generator().manual_seed(0)
    corner = (torch.rand(80, 2, generator=generator) * torch.tensor([900.0, 500.0])).int()
    boxes = torch.cat([corner, corner + (torch.rand(80, 2, generator=generator) * 200).int()], dim=1).int()
    masks = torch.rand(80, 21, 21, generator=generator)
    index = torch.where(torch.rand(40, 80, generator=generator) < 0.1, torch.arange(80), -1).int()
    weights = torch.rand(40, 80, generator=generator) / 4
    tail = (720, 1280, 0.4, binarise_first, resample)
    expected = ops.vote_masks(boxes, masks, index, weights, *tail)
    ours = ops.vote_masks(*(t.cuda() for t in (boxes, masks, index, weights)), *tail)
    assert_equal(ours, expected)
    labels = ops.label_map(*ours, 720, 1280)
    assert torch.equal(labels.cpu(), ops.label_map(*expected, 720, 1280))
    image = torch.randint(0, 256, (720, 1280, 3), dtype=torch.uint8, generator=generator)
    colours = torch.randint(0, 256, (40, 3), dtype=torch.uint8, generator=generator)
    for thickness in (0, 1, 3, 20):
        painted = ops.paint(image.cuda(), labels, colours.cuda(), 0.4, thickness)
        assert torch.equal(painted.cpu(), ops.paint(image, labels.cpu(), colours, 0.4, thickness))


@EACH_NAME
def test_assembly_captured_in_graph_replays_same_bits(name):
    maps, rois, arguments = map(on_device, inputs(name, 21))
    expected = getattr(ops, name)(maps, rois, *arguments, *GEOMETRY)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        value = getattr(ops, name)(maps, rois, *arguments, *GEOMETRY)
    value.zero_()
    graph.replay()
    torch.cuda.synchronize()
    assert torch.equal(value, expected)


def test_frame_captured_in_graph_replays_same_instances():
    """From the uploaded image to voted run lengths: nothing waits, and the replay finds the same instances."""
    from fcis_ros.model import checkpoint
    from fcis_ros.model.fcis import run_capacity
    from fcis_ros.model.preprocess import Original

    model = checkpoint.load(checkpoint.default_checkpoint()).eval().cuda()
    image = torch.randn(1, 3, 640, 853, device="cuda")
    room = run_capacity(image.device, 480, model.config.max_instances)

    def compute():
        return model.detect(model.dense(image), 0, Original(360, 480, 640 / 360), 0.0, room)

    with torch.inference_mode(), torch.backends.cudnn.flags(deterministic=True):
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):  # libraries set themselves up outside the graph
            expected = compute()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            votes = compute()
        graph.replay()
    torch.cuda.synchronize()
    count = int(expected.ends[-1])
    assert 0 < count <= room
    assert torch.equal(votes.ends, expected.ends) and torch.equal(votes.boxes, expected.boxes)
    assert torch.equal(votes.runs[:count], expected.runs[:count])


def test_stage_clock_on_gpu_times_device_work():
    """A stage in which the device works long after the host has gone on."""
    from fcis_ros.model.stage_clock import stage, timed_stages

    x = torch.randn(4096, 4096, device="cuda")
    with timed_stages(x.device) as clock:
        with stage("nothing"):
            pass
        with stage("products"):
            for _ in range(20):
                x = (x @ x).clamp(-1, 1)
    times = clock.stage_ms()
    assert list(times) == ["nothing", "products"]
    assert times["products"] > 10 * times["nothing"] >= 0


def test_arguments_on_different_devices_are_named():
    maps, rois, _ = inputs("box_deltas", 1)
    with pytest.raises(ValueError, match="rois: on cpu, but maps on cuda:0"):
        ops.box_deltas(maps.cuda(), rois, *GEOMETRY)


def test_predictor_on_gpu_finds_instances_of_cpu():
    import numpy as np

    from fcis_ros import Predictor
    from fcis_ros.data.synthetic.scenes import SyntheticScenes

    image = SyntheticScenes(0).sample(7).image
    cpu = Predictor.from_checkpoint(device="cpu", precision="fp32")(image, 0.3)
    gpu = Predictor.from_checkpoint(device="cuda", precision="fp32")(image, 0.25)
    for box, score in zip(cpu.boxes, cpu.scores, strict=True):
        near = np.abs(gpu.boxes - box).max(axis=1) <= 2
        assert near.any() and np.abs(gpu.scores[near] - score).min() < 0.02
