# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The CUDA kernels run on the host, with CPU tensors, by the names and arguments of ``torch.ops.fcis_ros``."""

import ctypes
import itertools
from pathlib import Path
from typing import Any

import compiled
import torch
from operator_inputs import shifted

ELEMENTS = {torch.float32: 0, torch.float16: 1, torch.bfloat16: 2}
C_TYPES = dict(
    p=ctypes.c_void_p, i=ctypes.c_int32, l=ctypes.c_int64, f=ctypes.c_float, d=ctypes.c_double, b=ctypes.c_bool
)  # fmt: skip


def structure(name: str, types: str) -> type[ctypes.Structure]:
    """A struct of csrc/ whose members have the types of these letters (``C_TYPES``)."""
    return type(name, (ctypes.Structure,), {"_fields_": [(f"_{i}", C_TYPES[letter]) for i, letter in enumerate(types)]})


Maps, Rois, Stds = structure("Maps", "pllllib"), structure("Rois", "pliii"), structure("Stds", "ffff")
Rpn, VoteInputs = structure("Rpn", "plllplllplllffff"), structure("VoteInputs", "pppplld")
Votes, Overlay = structure("Votes", "ppppllllllfbl"), structure("Overlay", "ppplflll")
InputOf = structure("InputOf", "piiiliidffffff")


def pointers(*values: Any) -> tuple:
    """The values as members of a structure: tensors, which have to stay, become pointers."""
    return tuple(value.data_ptr() if isinstance(value, torch.Tensor) else value for value in values)


def describe(maps: torch.Tensor, rois: torch.Tensor, bins: int, size: int, stride: int) -> tuple[ctypes.Structure, ...]:
    """``Maps`` and ``Rois`` of csrc/maps.h."""
    last = maps.is_contiguous(memory_format=torch.channels_last)
    return Maps(*pointers(maps), *maps.shape, ELEMENTS[maps.dtype], last), Rois(*pointers(rois), len(rois), bins, size, stride)


def garbage(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.full(shape, 7, dtype=dtype)


class Library:
    """The functions of a compiled library by their C++ names. Threads, warps and blocks run in another order in every call."""

    def __init__(self, path: Path):
        self._library = ctypes.CDLL(str(path))
        self._library.emulator_message.restype = ctypes.c_char_p
        tables = (compiled.run(["nm", "-D", "--defined-only", *how, path]).splitlines() for how in ([], ["-C"]))
        self._symbols = {
            plain.split(maxsplit=2)[2].split("(")[0]: mangled.split(maxsplit=2)[2]
            for mangled, plain in zip(*tables, strict=True)
        }
        self._orders = itertools.cycle([0, 1, 7])  # ascending, descending, shuffled

    def __call__(self, name: str, *arguments: Any) -> int:
        """Tensors become pointers, ``int`` int64_t, ``float`` float, None a null pointer (and the stream).

        Raises:
            RuntimeError: a launch function fails.
        """
        self._library.emulator_order(ctypes.c_uint(next(self._orders)))
        function = self._library[self._symbols[name]]
        function.restype = ctypes.c_size_t if name.endswith("_workspace") else ctypes.c_int
        result = function(*map(_convert, arguments))
        if result and not name.endswith("_workspace"):
            raise RuntimeError(f"{name}: error {result}, {self._library.emulator_message().decode()}")
        return result


def _convert(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        assert value.is_contiguous() or value.is_contiguous(memory_format=torch.channels_last)
        return ctypes.c_void_p(value.data_ptr())
    if isinstance(value, ctypes.Structure):
        return ctypes.byref(value)
    kinds = {bool: ctypes.c_bool, int: ctypes.c_int64, float: ctypes.c_float, type(None): ctypes.c_void_p}
    return kinds[type(value)](value)


class EmulatedKernels:
    """Every operator by its kernels. Results and workspaces hold garbage before, and no workspace is larger than it must be."""

    def __init__(self, library: Library):
        self._library = library

    def _run(self, name: str, *arguments: Any) -> None:
        self._library(f"fcis::cuda::{name}", *arguments, None)

    def _workspace(self, name: str, *arguments: Any) -> torch.Tensor:
        return torch.full((self._library(f"fcis::cuda::{name}_workspace", *arguments),), 0x5A, dtype=torch.uint8)

    def _forward(self, name, shape, maps, rois, geometry, *arguments):
        result = garbage(len(rois), *shape)
        self._run(name, *describe(maps, rois, *geometry), *arguments, result)
        return result

    def _backward(self, name, workspace, grad, maps, rois, geometry, *arguments):
        described, result = describe(maps, rois, *geometry), torch.full_like(maps, 7.0)
        result = shifted(result) if maps.storage_offset() else result
        self._run(f"{name}_backward", grad, *described, *arguments, self._workspace(workspace, *described), result)
        return result

    def class_logits(self, maps, rois, classes, *geometry):
        return self._forward("class_logits", (classes,), maps, rois, geometry, classes)

    def class_logits_backward(self, grad, maps, rois, *geometry):
        return self._backward("class_logits", "class_logits", grad, maps, rois, geometry, grad.shape[1])

    def mask_logits(self, maps, rois, labels, *geometry):
        return self._forward("mask_logits", (2, geometry[1], geometry[1]), maps, rois, geometry, labels)

    def mask_logits_backward(self, grad, maps, rois, labels, *geometry):
        return self._backward("mask_logits", "mask_logits", grad, maps, rois, geometry, labels)

    def best_class_masks(self, maps, rois, scores, *geometry):
        return self._forward("best_class_masks", (geometry[1],) * 2, maps, rois, geometry, scores, scores.shape[1])

    def box_deltas(self, maps, rois, *geometry):
        return self._forward("box_deltas", (maps.shape[1] // geometry[0] ** 2,), maps, rois, geometry)

    def box_deltas_backward(self, grad, maps, rois, *geometry):
        return self._backward("box_deltas", "box_deltas", grad, maps, rois, geometry)

    def _patent_means(self, maps, rois, pairs, groups, bins, stride):
        described, means = describe(maps, rois, bins, bins, stride), garbage(len(rois), groups)
        self._run("patent_means", *described, pairs, groups, self._workspace("patent_means", *described, groups), means)
        return means

    def _patent_means_backward(self, pairs, grad, maps, rois, bins, stride):
        geometry = (bins, bins, stride)
        return self._backward("patent_means", "patent_means_backward", grad, maps, rois, geometry, pairs, grad.shape[1])

    def patent_class_logits(self, maps, rois, classes, bins, stride):
        return self._patent_means(maps, rois, True, classes, bins, stride)

    def patent_class_logits_backward(self, *arguments):
        return self._patent_means_backward(True, *arguments)

    def patent_box_deltas(self, maps, rois, bins, stride):
        return self._patent_means(maps, rois, False, maps.shape[1] // bins**2, bins, stride)

    def patent_box_deltas_backward(self, *arguments):
        return self._patent_means_backward(False, *arguments)

    def patent_mask_logits(self, maps, rois, labels, *geometry):
        return self._forward("patent_masks", (2, geometry[1], geometry[1]), maps, rois, geometry, labels)

    def patent_mask_logits_backward(self, grad, maps, rois, labels, *geometry):
        return self._backward("patent_masks", "patent_masks_backward", grad, maps, rois, geometry, labels)

    def decode_anchors(self, logits, deltas, anchors, stride, height, width, min_size):
        count, rows, columns = len(anchors), *logits.shape[1:]
        views = *pointers(logits), *logits.stride(), *pointers(deltas), *deltas.stride(), *pointers(anchors)
        boxes, scores = garbage(rows * columns * count, 4), garbage(rows * columns * count)
        self._run("decode_anchors", Rpn(*views, count, rows, columns, stride, height, width, min_size), boxes, scores)
        return boxes, scores

    def decode_rois(self, rois, deltas, stds, height, width):
        moved = garbage(*rois.shape)
        self._run("decode_rois", rois, deltas, len(rois), Stds(*stds), float(height), float(width), moved)
        return moved

    def rois_to_image(self, rois, scores, scale, min_size, height, width):
        count = len(rois)
        mapped = garbage(count, 4), garbage(count, 4, dtype=torch.int32), garbage(count, dtype=torch.bool)
        sizes = map(float, (scale, min_size, height, width))
        self._run("rois_to_image", rois, scores, *scores.shape, *sizes, *mapped)
        return mapped

    def vote_weights(self, boxes, scores, winners, labels, threshold):
        shape = len(winners), len(boxes)
        result = garbage(*shape, dtype=torch.int32), garbage(*shape), garbage(len(winners))
        votes = VoteInputs(*pointers(boxes, scores, winners, labels), *scores.shape, threshold)
        self._run("vote_weights", votes, len(winners), *result)
        return result

    def nms(self, boxes, scores, threshold, limit):
        kept = garbage(limit, dtype=torch.int64)
        self._run("nms", boxes, scores, len(boxes), threshold, limit, self._workspace("nms", len(boxes)), kept)
        return kept

    def class_nms(self, boxes, scores, threshold, floor, limit):
        rois, labels = garbage(2, limit, dtype=torch.int64)
        space = self._workspace("class_nms", *scores.shape, limit)
        self._run("class_nms", boxes, scores, *scores.shape, threshold, floor, limit, space, rois, labels)
        return rois, labels

    def vote_masks(self, boxes, masks, index, weights, height, width, threshold, binarise_first, resample, capacity=None):
        """With a capacity wrong voters are left out, and runs that are not written are zero; without one: ValueError."""
        inputs = pointers(boxes, masks, index, weights)
        votes = Votes(*inputs, *index.shape, *masks.shape[:2], height, width, threshold, binarise_first, resample)
        space, count = self._workspace("voting", votes), len(index)
        tight, ends = garbage(count, 4, dtype=torch.int32), garbage(count, dtype=torch.int32)
        report = garbage(2, dtype=torch.int64)
        self._run("count_runs", votes, space, tight, ends, report)
        total, wrong = report.tolist()
        if capacity is None and wrong:
            raise ValueError(f"wrong: {wrong}")
        runs = torch.zeros(total if capacity is None else capacity, dtype=torch.int32)
        self._run("write_runs", votes, space, ends, runs, len(runs))
        return tight, runs, ends

    def label_map(self, boxes, runs, ends, height, width):
        """ValueError for a wrong instance has the labels as its second argument."""
        labels, wrong = garbage(height, width, dtype=torch.uint16), garbage(1, dtype=torch.int32)
        space = self._workspace("label_map", len(runs))
        self._run("label_map", boxes, runs, ends, len(boxes), len(runs), height, width, space, labels, wrong)
        return _unless_wrong(labels, wrong)

    def paint(self, image, labels, colours, alpha, thickness):
        """ValueError for a label without a colour has the picture as its second argument."""
        result, wrong = torch.full_like(image, 7), garbage(1, dtype=torch.int32)
        overlay = Overlay(*pointers(image, labels, colours), len(colours), alpha, thickness, *labels.shape)
        self._run("paint", overlay, self._workspace("paint", *labels.shape), result, wrong)
        return _unless_wrong(result, wrong)

    def network_input(self, data, layout, height, width, step, scale, mean, std, dtype):
        rows, columns = round(height * scale), round(width * scale)
        ratio = 1 if (rows, columns) == (height, width) else 1 / scale
        result = garbage(1, rows, columns, 3, dtype=dtype)
        picture = InputOf(*pointers(data), layout, height, width, step, rows, columns, ratio, *mean, *std)
        self._run("network_input", picture, ELEMENTS[dtype], result)
        return result.permute(0, 3, 1, 2)


def _unless_wrong(result: torch.Tensor, wrong: torch.Tensor) -> torch.Tensor:
    if wrong.item():
        raise ValueError(wrong.item(), result)
    return result
