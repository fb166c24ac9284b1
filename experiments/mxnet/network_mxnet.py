# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The half of ``network.py`` that runs in MXNet's Python: the released network in MXNet's operators.

    python network_mxnet.py make OUT.params IMAGE CLASSES ANCHORS     random weights, official names, tuned to one photo
    python network_mxnet.py run IN.params FOLDER THREADS IMAGE...     everything that is computed of each photo -> FOLDER/N.npz
    python network_mxnet.py time IN.params THREADS ROUNDS             milliseconds of the network at 600x1000, one line each

The network is that of the released symbol; its channel operators (maximum and softmax over a pair, picking a class), which
stock MXNet does not have, are put together from stock ones, and its Python part is ``test/released_reference.py``.
"""

# ruff: noqa: B905, UP031 (MXNet 1.9.1 runs in Python 3.8)
import os
import re
import sys
import time
from pathlib import Path

if sys.argv[1] != "make":
    threads = sys.argv[4] if sys.argv[1] == "run" else sys.argv[3]
    os.environ["OMP_NUM_THREADS"] = os.environ["MXNET_CPU_WORKER_NTHREADS"] = threads

import cv2
import mxnet as mx
import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[2] / "test"))
import released_reference as post

BLOCKS = {2: "a b c", 3: "a b1 b2 b3", 4: " ".join(["a"] + ["b%d" % i for i in range(1, 23)]), 5: "a b c"}


def network(classes, anchors, own_statistics=False):
    """Outputs: RPN probabilities and deltas, score maps, box maps. With ``own_statistics`` normalisation learns them."""

    def conv(data, name, count, kernel=1, stride=1, dilate=1, bias=True):
        pad = dilate * (kernel // 2)
        return mx.sym.Convolution(
            data, name=name, num_filter=count, kernel=(kernel, kernel), stride=(stride, stride), pad=(pad, pad),
            dilate=(dilate, dilate), no_bias=not bias, workspace=4096,
        )  # fmt: skip

    def norm(data, name):
        return mx.sym.BatchNorm(data, name=name, use_global_stats=not own_statistics, fix_gamma=False, eps=1e-5, momentum=0.0)

    def relu(data):
        return mx.sym.Activation(data, act_type="relu")

    x = relu(norm(conv(mx.sym.Variable("data"), "conv1", 64, 7, 2, bias=False), "bn_conv1"))
    x = mx.sym.Pooling(x, kernel=(3, 3), stride=(2, 2), pad=(0, 0), pool_type="max", pooling_convention="full")
    for stage, blocks in BLOCKS.items():
        inner = 32 << (stage - 1)
        for block in blocks.split():
            stride = 2 if block == "a" and stage in (3, 4) else 1
            name = "%d%s_branch" % (stage, block)
            shortcut = x
            if block == "a":
                shortcut = norm(conv(x, "res%s1" % name, 4 * inner, 1, stride, bias=False), "bn%s1" % name)
            y = relu(norm(conv(x, "res%s2a" % name, inner, 1, stride, bias=False), "bn%s2a" % name))
            y = relu(norm(conv(y, "res%s2b" % name, inner, 3, 1, 2 if stage == 5 else 1, bias=False), "bn%s2b" % name))
            x = relu(norm(conv(y, "res%s2c" % name, 4 * inner, bias=False), "bn%s2c" % name) + shortcut)
        if stage == 4:
            conv4 = x
    rpn = relu(conv(conv4, "rpn_conv_3x3", 512, 3))
    score = mx.sym.Reshape(conv(rpn, "rpn_cls_score", 2 * anchors), shape=(0, 2, -1, 0))
    score = mx.sym.SoftmaxActivation(score, mode="channel")
    prob = mx.sym.Reshape(score, shape=(0, 2 * anchors, -1, 0), name="rpn_cls_prob")
    reduced = relu(conv(x, "conv_new_1", 1024))
    return mx.sym.Group(
        [
            prob,
            conv(rpn, "rpn_bbox_pred", 4 * anchors),
            conv(reduced, "fcis_cls_seg", 98 * classes),
            conv(reduced, "fcis_bbox", 392),
        ]
    )


def preprocess(path):
    """As ``lib/utils/image.py`` says: bilinear by a factor, RGB, means subtracted."""
    image = cv2.imread(path, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    scale = 600.0 / min(image.shape[:2])
    if np.round(scale * max(image.shape[:2])) > 1000:
        scale = 1000.0 / max(image.shape[:2])
    image = cv2.resize(image, None, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    data = (image[:, :, ::-1].astype(np.float64) - np.array([123.15, 115.90, 103.06])).transpose(2, 0, 1)
    return data[None].astype(np.float32), scale


def random_weights(classes, anchors, image):
    """Random weights with the statistics of normalisation of the image and heads of a trained network's spread."""
    random = np.random.RandomState(0)
    data, _ = preprocess(image)
    symbol = network(classes, anchors, own_statistics=True)
    shapes, _, aux_shapes = symbol.infer_shape(data=data.shape)
    args, aux = {}, {}
    for name, shape in zip(symbol.list_arguments(), shapes):
        if name.endswith("_weight"):
            value = random.normal(size=shape) * np.sqrt(2.0 / np.prod(shape[1:]))
        elif name.endswith("_gamma"):
            value = random.uniform(0.2, 0.6, shape) if "branch2c" in name else random.uniform(0.7, 1.3, shape)
        else:
            value = random.normal(size=shape) * 0.1
        args[name] = mx.nd.array(value)
    args["data"] = mx.nd.array(data)
    for name, shape in zip(symbol.list_auxiliary_states(), aux_shapes):
        aux[name] = mx.nd.zeros(shape)
    inside = symbol.get_internals()
    convs = [
        name[: -len("_output")] for name in inside.list_outputs() if re.fullmatch(r"(conv1|res\d\w*_branch\w+)_output", name)
    ]
    every = mx.sym.Group([symbol] + [inside[name + "_output"] for name in convs])
    executor = every.bind(mx.cpu(), args, {name: mx.nd.zeros_like(v) for name, v in args.items()}, "write", aux)
    outputs = [out.asnumpy()[0] for out in executor.forward(is_train=True)]
    for name, out in zip(convs, outputs[4:]):
        norm = "bn_conv1" if name == "conv1" else name.replace("res", "bn")
        aux[norm + "_moving_mean"] = mx.nd.array(out.mean(axis=(1, 2)))
        aux[norm + "_moving_var"] = mx.nd.array(out.var(axis=(1, 2)))
    probability, deltas, score_maps, box_maps = outputs[:4]
    rois = np.random.RandomState(1).uniform(0, 500, (40, 4)).astype(np.float32)
    rois[:, 2:] = rois[:, :2] + np.random.RandomState(2).uniform(30, 400, (40, 2))
    rois = np.minimum(rois, [data.shape[3] - 1, data.shape[2] - 1, data.shape[3] - 1, data.shape[2] - 1])
    logits = np.log(post.heads(score_maps, box_maps, rois)[0])
    moves = np.array([post.psroi_pool(box_maps, roi, 8).mean(axis=(1, 2))[4:] for roi in rois])
    for name, factor in (
        ("rpn_cls_score", 2.0 / np.log(probability[anchors:] / probability[:anchors]).std()),
        ("rpn_bbox_pred", 0.2 / deltas.std()),
        ("fcis_cls_seg", 0.7 / logits.std(axis=0).mean()),
        ("fcis_bbox", 0.5 / moves.std()),
    ):
        args[name + "_weight"] *= factor
        args[name + "_bias"] *= factor
    del args["data"]
    for part in ("weight", "bias"):  # copies in a checkpoint that must not be used
        args["fcis_bbox_%s_test" % part] = args["fcis_bbox_%s" % part] * 0.2
    return {**{"arg:" + n: v for n, v in args.items()}, **{"aux:" + n: v for n, v in aux.items()}}


class Network:
    """The released network with the weights of a file."""

    def __init__(self, params):
        self.weights = {name.split(":")[-1]: value for name, value in mx.nd.load(params).items()}
        self.classes = self.weights["fcis_cls_seg_weight"].shape[0] // 98
        self.anchors = self.weights["rpn_cls_score_weight"].shape[0] // 2
        self.executors = {}

    def dense(self, data):
        if data.shape not in self.executors:
            symbol = network(self.classes, self.anchors)
            args = {name: self.weights[name] for name in symbol.list_arguments() if name != "data"}
            args["data"] = mx.nd.zeros(data.shape)
            aux = {name: self.weights[name] for name in symbol.list_auxiliary_states()}
            self.executors = {data.shape: symbol.bind(mx.cpu(), args, aux_states=aux, grad_req="null")}
        return self.executors[data.shape].forward(is_train=False, data=mx.nd.array(data))

    def heads(self, score_maps, box_maps, rois):
        """Probabilities, masks of the best class and deltas of ROIs [R, 4]."""
        indexed = mx.nd.array(np.hstack([np.zeros((len(rois), 1)), rois]))
        options = dict(rois=indexed, spatial_scale=0.0625, pooled_size=21, group_size=7)
        pairs = mx.nd.contrib.PSROIPooling(data=score_maps, output_dim=2 * self.classes, **options)
        pairs = pairs.reshape((0, -4, -1, 2, 21, 21))
        probability = mx.nd.softmax(mx.nd.mean(mx.nd.max(pairs, axis=2), axis=(2, 3)))
        best = mx.nd.argmax(probability[:, 1:], axis=1) + 1
        mask = mx.nd.gather_nd(mx.nd.softmax(pairs, axis=2), mx.nd.stack(mx.nd.arange(len(rois)), best))[:, 1]
        deltas = mx.nd.mean(mx.nd.contrib.PSROIPooling(data=box_maps, output_dim=8, **options), axis=(2, 3))[:, 4:]
        return probability.asnumpy(), mask.asnumpy(), deltas.asnumpy()

    def everything(self, data, scale):
        coco = self.anchors == 12
        height, width = data.shape[2:]
        probability, moves, score_maps, box_maps = self.dense(data)
        small, anchors = (2, post.COCO_ANCHORS) if coco else (16, post.VOC_ANCHORS)
        first = post.proposals(probability.asnumpy()[0], moves.asnumpy()[0], height, width, anchors, small)
        scores, masks, deltas = self.heads(score_maps, box_maps, first)
        second = post.second_round(first, deltas, height, width)
        again = self.heads(score_maps, box_maps, second)
        rois = np.concatenate([first, second])
        scores, masks = np.concatenate([scores, again[0]]), np.concatenate([masks, again[1]])
        boxes, voted, labels, masks21 = post.instances(rois, scores, masks, scale, height, width, small)
        return {
            "data": data,
            "im_info": np.float32([[height, width, scale]]),
            "rpn_cls_prob": probability.asnumpy(),
            "rpn_bbox_pred": moves.asnumpy(),
            "rois": np.hstack([np.zeros((len(rois), 1), np.float32), rois]),
            "cls_prob": scores,
            "seg_prob": masks,
            "boxes": boxes,
            "scores": voted,
            "labels": labels,
            "masks21": masks21,
            "score_maps": score_maps.asnumpy(),
            "box_maps": box_maps.asnumpy(),
        }


def main():
    if sys.argv[1] == "make":
        _, _, out, image, classes, anchors = sys.argv
        mx.nd.save(out, random_weights(int(classes), int(anchors), image))
    elif sys.argv[1] == "run":
        _, _, params, folder, _, *images = sys.argv
        net = Network(params)
        for number, image in enumerate(images):
            np.savez(os.path.join(folder, "%d.npz" % number), **net.everything(*preprocess(image)))
    else:
        _, _, params, _, rounds = sys.argv
        net = Network(params)
        data = np.random.RandomState(0).normal(size=(1, 3, 600, 1000)).astype(np.float32) * 50
        rois = np.random.RandomState(1).uniform(0, 500, (300, 4)).astype(np.float32)
        rois[:, 2:] = rois[:, :2] + np.random.RandomState(2).uniform(30, 400, (300, 2))
        for number in range(int(rounds) + 1):
            start = time.perf_counter()
            outputs = net.dense(data)
            mx.nd.waitall()
            middle = time.perf_counter()
            net.heads(outputs[2], outputs[3], rois)
            net.heads(outputs[2], outputs[3], rois)
            end = time.perf_counter()
            if number:  # the first one prepares
                print("%.1f %.1f" % ((middle - start) * 1e3, (end - middle) * 1e3), flush=True)


if __name__ == "__main__":
    main()
