# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Every operator, the whole per-ROI stage and its training, against plain PyTorch; and how the stage grows."""

import dataclasses
import itertools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks import cases, plain
from benchmarks.measure import CAPTURED, Row, copy_bandwidth, device_name, medians, replayed
from fcis_ros import ops
from fcis_ros.model.fcis import run_capacity

GEOMETRY = (cases.BINS, cases.GRID, cases.STRIDE)
NMS, FLOOR, VOTE, THRESHOLD, LIMIT = 0.3, 1e-3, 0.5, 0.4, 100


def roi_stage(case: cases.Case, with_ops=ops) -> Callable[[], object]:
    """Boxes of round one, class logits of both rounds, masks of the winners."""

    def run():
        with torch.inference_mode():
            half = len(case.rois) // 2
            deltas = with_ops.box_deltas(case.box_maps, case.rois[:half], *GEOMETRY)
            logits = with_ops.class_logits(case.score_maps, case.rois, case.classes, *GEOMETRY)
            return deltas, logits, with_ops.best_class_masks(case.score_maps, case.rois, logits, *GEOMETRY)

    return run


def in_turn(case: cases.Case, size: int) -> Callable[[], object]:
    """The stage on copies of the maps, one call after the other, so many that they are no longer in a cache of ``size`` bytes
    when their turn comes again: a network has just written its maps, but to memory."""
    copies = min(CAPTURED, 2 + 2 * size // stage_bytes(case))
    maps = [{"score_maps": case.score_maps.clone(), "box_maps": case.box_maps.clone()} for _ in range(copies)]
    stages = itertools.cycle([roi_stage(dataclasses.replace(case, **copy)) for copy in maps])
    return lambda: next(stages)()


def train_stage(case: cases.Case, with_ops=ops) -> Callable[[], object]:
    """Forward and backward of all three for 300 ROIs, of which a quarter has masks and boxes."""
    count = min(len(case.rois), 300)
    positive = torch.arange(count, device=case.rois.device) % 4 == 0
    rois, labels = case.rois[:count], torch.where(positive, case.labels[:count], -1)
    score_maps, box_maps = case.score_maps.clone().requires_grad_(), case.box_maps.clone().requires_grad_()

    def run():
        score_maps.grad = box_maps.grad = None
        loss = with_ops.class_logits(score_maps, rois, case.classes, *GEOMETRY).logsumexp(dim=1).sum()
        loss = loss + with_ops.mask_logits(score_maps, rois, labels, *GEOMETRY).square().sum()
        loss = loss + with_ops.box_deltas(box_maps, rois, *GEOMETRY).square().sum()
        loss.backward()

    return run


def suppress_and_vote(case: cases.VotingCase, with_ops=ops) -> Callable[[], object]:
    """NMS of all 80 classes and the voted run lengths of up to 100 instances."""

    def run():
        with torch.inference_mode():
            size = (case.height, case.width)
            boxes, pixels, _ = with_ops.rois_to_image(case.boxes, case.scores, 1.0, 1.0, *size)
            rois, labels = with_ops.class_nms(boxes, case.scores, NMS, FLOOR, LIMIT)
            voters, weights, _ = with_ops.vote_weights(boxes, case.scores, rois, labels, VOTE)
            room = run_capacity(boxes.device, case.width, LIMIT)
            return with_ops.vote_masks(pixels, case.masks, voters, weights, *size, THRESHOLD, True, 0, room)

    return run


def stage_bytes(case: cases.Case) -> int:
    maps = (case.score_maps.numel() + case.box_maps.numel()) * case.score_maps.element_size()
    results = len(case.rois) * (case.classes + cases.GRID**2 + 5) * 4
    return maps + results


def single(case: cases.Case) -> list[tuple[str, Callable, Callable, int]]:
    """(operator, ours, plain PyTorch, bytes) of each operator of the stage."""
    maps = case.score_maps.numel() * case.score_maps.element_size()
    half = case.rois[: len(case.rois) // 2]
    scores = torch.nn.functional.one_hot(case.labels, case.classes).float()
    arguments = {
        "class_logits": ((case.score_maps, case.rois, case.classes, *GEOMETRY), maps + len(case.rois) * case.classes * 4),
        "mask_logits": ((case.score_maps, case.rois, case.labels, *GEOMETRY), len(case.rois) * 2 * cases.GRID**2 * 4),
        "best_class_masks": (
            (case.score_maps, case.rois, scores, *GEOMETRY),
            len(case.rois) * (cases.GRID**2 + case.classes) * 4,
        ),
        "box_deltas": ((case.box_maps, half, *GEOMETRY), case.box_maps.numel() * case.box_maps.element_size() + len(half) * 16),
    }
    return [
        (name, lambda n=name, a=a: getattr(ops, n)(*a), lambda n=name, a=a: getattr(plain, n)(*a), size)
        for name, (a, size) in arguments.items()
    ]


def compare(operator, case, dtype, ours, eager, device, size=None, bandwidth=None, capture=True) -> Row:
    launched, theirs = medians([ours, eager], device, seconds=3.0)
    alone = device.type == "cuda" and capture
    ours_ms = replayed(ours, device) if alone else launched
    copy = ours_ms / (size / bandwidth) if size and bandwidth else None
    kind = str(dtype).removeprefix("torch.")
    return Row(operator, case, device_name(device), kind, ours_ms, theirs / launched, size, copy, launched if alone else None)


def rows(device: torch.device) -> list[Row]:
    """All comparisons on one device."""
    bandwidth = copy_bandwidth(device)
    measured = []
    for dtype in (torch.float32, torch.float16) if device.type == "cuda" else (torch.float32,):
        for make in (cases.road, cases.r101_coco):
            case = make(dtype, device)
            for name, ours, eager, size in single(case):
                measured.append(compare(name, case.name, dtype, ours, eager, device, size, bandwidth))
            pair = (roi_stage(case), roi_stage(case, plain))
            measured.append(compare("roi_stage", case.name, dtype, *pair, device, stage_bytes(case), bandwidth))
            if device.type == "cuda":
                cache = torch.cuda.get_device_properties(device).L2_cache_size
                time, size, kind = replayed(in_turn(case, cache), device), stage_bytes(case), str(dtype).removeprefix("torch.")
                name, over = "roi_stage, maps not in the cache", time / (size / bandwidth)
                measured.append(Row(name, case.name, device_name(device), kind, time, bytes=size, ratio_to_bandwidth=over))
            if dtype == torch.float32:
                pair = (train_stage(case), train_stage(case, plain))
                moved = 3 * stage_bytes(case)
                measured.append(compare("roi_stage forward+backward", case.name, dtype, *pair, device, moved, bandwidth, False))
    measured += after_stage(device)
    return measured


def after_stage(device: torch.device) -> list[Row]:
    """NMS, voting and pictures, on one CPU thread or on the GPU."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        voting = cases.full_hd(device)
        name, kind = "1080p, 600 ROIs, 80 classes", torch.float32
        many = cases.random_rois(6000, 600, 1000, torch.Generator().manual_seed(1))[:, 1:].contiguous().to(device)
        score = torch.rand(6000, generator=torch.Generator().manual_seed(1)).to(device)
        instances = suppress_and_vote(voting)()
        image = torch.zeros(voting.height, voting.width, 3, dtype=torch.uint8, device=device)
        colours = torch.full((LIMIT, 3), 200, dtype=torch.uint8, device=device)
        labels = ops.label_map(*instances, voting.height, voting.width)
        size = (voting.height, voting.width)
        calls = {
            "nms": ("6000 boxes to 300", lambda o: o.nms(many, score, 0.7, 300)),
            "class_nms": (name, lambda o: o.class_nms(voting.boxes, voting.scores, NMS, FLOOR, LIMIT)),
            "class_nms + vote_masks": (name, lambda o: suppress_and_vote(voting, o)()),
            "label_map": ("1080p, 100 instances", lambda o: o.label_map(*instances, *size)),
            "paint": ("1080p, 100 instances", lambda o: o.paint(image, labels, colours, 0.5, 3)),
        }
        return [
            compare(operator, case, kind, lambda c=call: c(ops), lambda c=call: c(plain), device)
            for operator, (case, call) in calls.items()
        ]
    finally:
        torch.set_num_threads(threads)


def growth(device: torch.device) -> list[Row]:
    """The per-ROI stage with more ROIs, classes and pixels than the COCO case."""
    dtype = torch.float16 if device.type == "cuda" else torch.float32
    varied = [(f"ROIs {count}", 80, count, 600, 1000) for count in (100, 300, 600, 1000, 2000, 4000)]
    varied += [(f"classes {count}", count, 600, 600, 1000) for count in (3, 20, 80, 365)]
    varied += [(f"image {height}x{width}", 80, 600, height, width) for height, width in ((300, 500), (600, 1000), (1200, 2000))]
    measured = []
    for name, *size in varied:
        case = cases.make(name, *size, dtype, device)
        run = roi_stage(case)
        time = replayed(run, device) if device.type == "cuda" else medians([run], device)[0]
        kind = str(dtype).removeprefix("torch.")
        measured.append(Row("roi_stage", name, device_name(device), kind, time, bytes=stage_bytes(case)))
    return measured


def resident_peak() -> int:
    """Returns the peak of resident memory, kB."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1])


def peak_memory(with_ops: str) -> float:
    """MB that forward and backward of the COCO case take on top of their inputs, in a separate process (Linux)."""
    command = [sys.executable, "-m", "benchmarks.operators", with_ops]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    run = train_stage(cases.r101_coco(), {"ops": ops, "plain": plain}[sys.argv[1]])
    Path("/proc/self/clear_refs").write_text("5")  # the peak restarts from the memory that is resident now
    before = resident_peak()
    run()
    print((resident_peak() - before) / 1024)
