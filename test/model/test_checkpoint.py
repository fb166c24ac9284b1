# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import dataclasses
import json
import os
import struct
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from fcis_ros.config import ModelConfig
from fcis_ros.errors import InputError
from fcis_ros.model import checkpoint
from fcis_ros.model.fcis import FCIS
from fcis_ros.ops.layout import padded_classes

TINY = ModelConfig(class_names=("car", "pedestrian"), backbone="resnet18", width=4, reduced_channels=8, rpn_channels=8)


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "tiny.safetensors"
    torch.manual_seed(0)
    model = FCIS(TINY)
    checkpoint.save(path, model, {"data": "none"})
    return path, model


def rewrite(path, tensors=None, **metadata):
    values = {"format_version": checkpoint.FORMAT_VERSION, "config": json.dumps(TINY.to_dict()), **metadata}
    save_file(tensors or load_file(path), path, {k: v for k, v in values.items() if v is not None})


def test_save_and_load_keep_weights_and_metadata(saved, tmp_path):
    path, model = saved
    loaded = checkpoint.load(path)
    assert loaded.config == TINY and not loaded.training
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)
    assert checkpoint.read_metadata(path) == (TINY, {"data": "none"})
    assert [p.name for p in tmp_path.iterdir()] == ["tiny.safetensors"]  # no partial file is left
    assert path.stat().st_mode & 0o777 == 0o644  # others can read it


def refused(path, says):
    with pytest.raises(InputError, match=f"checkpoint .*{path.name[:40]}: .*{says}"):
        checkpoint.load(path)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda path: path.unlink(), "no such file"),
        (lambda path: path.unlink() or path.mkdir(), "not a file"),
        (lambda path: path.unlink() or os.mkfifo(path), "not a file"),  # opening it would wait for a writer
        (lambda path: torch.save({"weights": torch.zeros(3)}, path), "not a readable safetensors file"),
        *(
            (lambda path, keep=keep: path.write_bytes(path.read_bytes()[:keep]), "not a readable safetensors file")
            for keep in (0, 5, 100, -10)
        ),
        (lambda path: path.write_bytes(b"\xff" * 1000), "a header of 18446744073709551615 bytes, at most 4194304 are possible"),
    ],
)
def test_load_other_file_is_refused(saved, spoil, says):
    path, _ = saved
    spoil(path)
    refused(path, says)
    refused(path.with_name("x" * 300), "cannot be read \\(File name too long\\)")


def test_load_unreadable_file_is_refused(saved):
    path, _ = saved
    path.chmod(0)
    user = os.geteuid()
    try:
        if user == 0:  # who may read everything
            os.seteuid(65534)
        refused(path, "cannot be read \\(Permission denied\\)")
    finally:
        os.seteuid(user)


def to_version_2(model: FCIS) -> dict[str, torch.Tensor]:
    """The model's tensors in the order of version 2, channel by channel: cell, side, label."""
    tensors = {name: value.clone() for name, value in model.state_dict().items()}
    classes = model.config.num_classes
    order = list(np.ndindex(model.config.bin_count, 2, classes))
    for part in ("weight", "bias"):
        padded = tensors[f"score_maps.score.{part}"]
        stored = [padded[(cell * padded_classes(classes) + label) * 2 + side] for cell, side, label in order]
        tensors[f"score_maps.score.{part}"] = torch.stack(stored)
    return tensors


@pytest.mark.parametrize("names", [("car",), ("car", "pedestrian"), ("car", "van", "tram"), ("a", "b", "c", "d")])
@pytest.mark.parametrize("more_bins", [(), (3, 1)])
def test_load_version_2_is_reordered(tmp_path, names, more_bins):
    """Its score maps were ordered by side, then class, without padding; what the network says is equal to the bit."""
    config = dataclasses.replace(TINY, class_names=names, more_bins=more_bins)
    torch.manual_seed(1)
    model = FCIS(config).eval()
    with torch.no_grad():  # a bias as well, but for the padding
        model.score_maps.score.bias.unflatten(0, (-1, padded_classes(len(names) + 1), 2))[:, : len(names) + 1].uniform_()
    path = tmp_path / "old.safetensors"
    about = {"format_version": "2", "config": json.dumps(config.to_dict())}
    save_file({name: value.contiguous() for name, value in to_version_2(model).items()}, path, about)
    loaded = checkpoint.load(path)
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name
    image = torch.randn(1, 3, 64, 96)
    with torch.inference_mode():
        assert torch.equal(loaded.dense(image).score_maps, model.dense(image).score_maps)
    checkpoint.save(tmp_path / "new.safetensors", loaded, {})
    assert (checkpoint.read_version(path), checkpoint.read_version(tmp_path / "new.safetensors")) == ("2", "3")
    assert checkpoint.read_metadata(path) == (config, {})


def test_load_other_version_number_changes_the_order(saved):
    """Tensors of version 3 are no version 2, and the other way round: their numbers of channels differ."""
    path, model = saved
    rewrite(path, format_version="2")
    refused(path, "score_maps.score.bias has shape \\[392\\], .* need \\[294\\]")
    rewrite(path, to_version_2(model))
    refused(path, "score_maps.score.bias has shape \\[294\\], .* need \\[392\\]")


NOT_JSON_OBJECTS = ("", "[]", "3", "null", "{", '{"a": Infinity}', '{"a": ' * 100 + "1" + "}" * 100)
BAD_CONFIGS = {
    "": "not JSON",
    "{": "not JSON",
    "\x00": "not JSON",
    "[]": "not a JSON object",
    "[" * 100_000: "nested more than 32 deep",
    '{"nms": NaN}': "a number that is nan",
    '{"class_names": []}': "class_names must be",
    '{"class_names": ["a"], "width": 1000000000}': "width must be a whole number in 1..512, not 1000000000",
    '{"class_names": ["a"], "colour": 1}': "unknown key 'colour'",
}


@pytest.mark.parametrize(
    ("metadata", "says"),
    [
        ({"format_version": None}, "not an fcis_ros checkpoint"),
        ({"config": None}, "not an fcis_ros checkpoint"),
        ({"format_version": "1"}, "format version 1, this release reads versions 2 and 3"),
        ({"format_version": "1\n"}, "format version 1\\\\n, this"),
        *(({"config": config}, f"model config: .*{says}") for config, says in BAD_CONFIGS.items()),
        *(({"provenance": provenance}, "provenance: ") for provenance in NOT_JSON_OBJECTS),
    ],
)
def test_load_bad_metadata_is_named(saved, metadata, says):
    path, _ = saved
    rewrite(path, **metadata)
    for read in (checkpoint.load, checkpoint.read_metadata):
        with pytest.raises(InputError, match=f"tiny.safetensors: {says}"):
            read(path)


def header_of(path):
    content = path.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def write_raw(path, header, data):
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def test_load_metadata_not_text_or_huge_is_refused(saved):
    path, _ = saved
    header, data = header_of(path)
    for value in (3, None, {}, ["2"]):
        write_raw(path, {**header, "__metadata__": {**header["__metadata__"], "config": value}}, data)
        refused(path, "not a readable safetensors file")
    write_raw(path, {**header, "__metadata__": {**header["__metadata__"], "provenance": " " * (5 << 20)}}, data)
    refused(path, "a header of 5.* bytes, at most 4194304 are possible")


def test_load_copies_the_weights(saved):
    path, model = saved
    loaded = checkpoint.load(path)
    size = path.stat().st_size
    with open(path, "r+b") as file:
        file.write(bytes(size))
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)
    assert torch.equal(loaded.rpn.anchors, model.rpn.anchors)
    assert all(parameter.requires_grad for parameter in loaded.parameters())


def test_load_config_that_does_not_fit_allocates_nothing(saved):
    """Its network would take 15 GB; the process may take 2 MB more than it has when all is imported."""
    path, _ = saved
    rewrite(path, config=json.dumps({**TINY.to_dict(), "backbone": "resnet152", "width": 512, "reduced_channels": 8192}))
    code = f"""
import resource
from fcis_ros.errors import InputError
from fcis_ros.model import checkpoint
checkpoint.load({str(checkpoint.default_checkpoint())!r})
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    checkpoint.load({str(path)!r})
except InputError as error:
    print(error, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, sep="|")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    message, kib = done.stdout.split("|")
    assert "tiny.safetensors: backbone.bn1.bias has shape [4]" in message and int(kib) < 2048


def test_load_more_or_fewer_classes_are_named(saved):
    path, _ = saved
    rewrite(path, config=json.dumps({**TINY.to_dict(), "class_names": ["a", "b", "c", "d"]}))
    refused(path, "score_maps.score.* has shape .* its 4 classes")
    rewrite(path, config=json.dumps({**TINY.to_dict(), "class_names": ["car"]}))
    refused(path, "score_maps.score.weight is of more than its 1 classes")  # within the padding the shapes fit all the same


NAME = "score_maps.box.bias"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda bias: {}, f"{NAME} is missing"),
        (lambda bias: {NAME: bias, "extra": torch.zeros(1)}, "unexpected tensor 'extra'"),
        (lambda bias: {NAME: bias * float("nan")}, f"{NAME} holds values that are not finite"),
        (lambda bias: {NAME: bias.half()}, f"{NAME} is of type F16, not F32"),
        (lambda bias: {NAME: bias.int()}, f"{NAME} is of type I32, not F32"),
    ],
)
def test_load_wrong_tensor_is_named(saved, change, says):
    path, _ = saved
    tensors = {name: tensor.clone() for name, tensor in load_file(path).items()}  # the loaded ones may be maps of the file
    rewrite(path, change(tensors.pop(NAME)) | tensors)
    refused(path, says)


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "whole.safetensors"
    checkpoint.save(path, FCIS(TINY), {"data": "none"})
    return path, path.read_bytes()


BYTES = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=3)


@given(BYTES, BYTES, st.none() | st.floats(0, 1), st.none() | st.integers(0, 1 << 64))
def test_load_damaged_file_is_refused_or_correct(content, in_header, in_weights, keep, length):
    """Bytes of the header and of the weights changed, the end cut off, another length of the header."""
    path, whole = content
    data = bytearray(whole)
    start = 8 + struct.unpack("<Q", whole[:8])[0]
    for position, byte in in_header:
        data[8 + int(position * (start - 8))] = byte
    for position, byte in in_weights:
        data[start + int(position * (len(whole) - start))] = byte
    if length is not None:
        data[:8] = struct.pack("<Q", min(length, (1 << 64) - 1))
    damaged = path.with_name("damaged.safetensors")
    damaged.write_bytes(data[: None if keep is None else int(keep * len(data))])
    try:
        model = checkpoint.load(damaged)
    except InputError as error:
        assert str(error).startswith(f"checkpoint {damaged}: ") and str(error).isprintable() and len(str(error)) < 1000
    else:
        for name, tensor in load_file(damaged).items():
            assert torch.equal(model.state_dict()[name], tensor) and tensor.isfinite().all()
