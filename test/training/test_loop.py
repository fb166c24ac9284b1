# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import dataclasses
import hashlib
import json

import numpy as np
import pytest
import safetensors.torch
import torch

from fcis_ros.config import ModelConfig
from fcis_ros.errors import InputError
from fcis_ros.model import checkpoint
from fcis_ros.model.fcis import FCIS
from fcis_ros.structures import Sample
from fcis_ros.training import loop, mixed_precision
from fcis_ros.training.batches import Batches
from fcis_ros.training.distributed import ALONE
from fcis_ros.training.losses import LOSSES
from fcis_ros.training.state import new_state
from fcis_ros.training.train_config import TrainConfig

CPU = torch.device("cpu")
MODEL = ModelConfig(
    class_names=("box", "disc"), backbone="resnet18", width=16, short_side=96, max_side=160, reduced_channels=32,
    rpn_channels=32, anchor_scales=(1.5, 2.5, 4.0), anchor_ratios=(0.7, 1.0, 1.4), rpn_pre_nms=300, rpn_post_nms=40,
    bins=3, grid=9,
)  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Threads cost these small maps more than they save where other processes have the cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def scene(seed: int) -> Sample:
    """One bright box and one bright disc on noise."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 60, (96, 128, 3), dtype=np.uint8)
    y, x = np.mgrid[:96, :128]
    left, top = rng.integers(4, 24), rng.integers(10, 40)
    box = (x >= left) & (x < left + 36) & (y >= top) & (y < top + 30)
    disc = (x - rng.integers(90, 106)) ** 2 + (y - rng.integers(30, 66)) ** 2 < 18**2
    image[box], image[disc] = (220, 60, 40), (60, 200, 90)
    return Sample(image, np.stack([box, disc]), np.array([1, 2]), np.array([False, False]), f"{seed}")


def config(**changes) -> TrainConfig:
    values = {"model": MODEL, "steps": 6, "batch": 2, "lr": 0.02, "warmup": 2, "crop": (96, 128), "scale_jitter": (0.9, 1.1),
              "paste": 0.0, "synthetic": 0.0, "ohem": 40, "ema": 0.9, "precision": "fp32", "eval_every": 3}  # fmt: skip
    return TrainConfig(**{**values, **changes})


def start(out, settings, **arguments):
    return loop.train(settings, Batches(settings, [scene(0), scene(1)], scene), out, CPU, **arguments)


def rows(out) -> list[dict]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def tensors(path) -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(path)


def assert_equal_bits(one, other):
    one, other = tensors(one), tensors(other)
    assert len(one) > 100 and one.keys() == other.keys()
    for name, value in one.items():
        assert torch.equal(value, other[name]), name


class Killed(Exception):
    """Stands for the end of the process: nothing of the loop catches it."""


def start_and_kill(out, settings, step, monkeypatch):
    """Runs until ``step`` steps are done; everything since the last snapshot is lost."""
    real = loop.train_step

    def stops(state, *arguments):
        if state.step == step:
            raise Killed
        real(state, *arguments)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(loop, "train_step", stops)
        start(out, settings)


@pytest.mark.parametrize(("width", "chosen"), [(8, "fp32"), (16, "bf16")])
def test_train_on_a_cpu_with_bf16_keeps_narrow_models_in_fp32(tmp_path, monkeypatch, width, chosen):
    """What the run did stands in its provenance; two images of batch 1, so that every convolution sees one image."""
    monkeypatch.setattr(mixed_precision, "cpu_bf16_unit", lambda: "avx512_bf16")
    settings = config(model=dataclasses.replace(MODEL, width=width), steps=2, batch=1, precision="auto")
    (entry,) = checkpoint.read_metadata(start(tmp_path / "run", settings))[1]["starts"]
    assert entry["precision"] == chosen


@pytest.mark.parametrize(("precision", "assemble"), [("fp32", "grid"), ("bf16", "grid"), ("fp32", "native")])
def test_train_two_images_overfits(tmp_path, precision, assemble):
    """The losses fall, and the averaged model finds both objects of both images; bf16 is emulated where the CPU lacks it.

    With the patent's pixels of 16 x 16, which nothing interpolates, the masks of objects this small stay coarse.
    """
    model = dataclasses.replace(MODEL, assemble=assemble)
    settings = config(model=model, steps=160, warmup=20, lr=0.05, eval_every=1000, precision=precision)
    path = start(tmp_path / "run", settings)
    first, *_, last = rows(tmp_path / "run")
    falling = LOSSES if assemble == "grid" else ("roi_class",)
    assert sum(last[name] for name in falling) < 0.5 * sum(first[name] for name in falling)
    assert loop.measure_held_out(checkpoint.load(path), [scene(0), scene(1)], CPU, ALONE)["AP50"] >= 0.9


def test_train_writes_checkpoint_log_and_curves(tmp_path):
    path = start(tmp_path / "run", config(), held_out=[scene(0)], data={"images": 2})
    model_config, provenance = checkpoint.read_metadata(path)
    assert model_config == MODEL
    assert provenance["steps"] == 6 and provenance["data"] == {"images": 2} and provenance["train_config"]["lr"] == 0.02
    assert provenance["seconds"] > 0 and [entry["step"] for entry in provenance["starts"]] == [0]
    assert [row["step"] for row in rows(tmp_path / "run")] == [1, 3, 6, 6]
    evaluations = [row["evaluation"] for row in rows(tmp_path / "run") if "evaluation" in row]
    assert len(evaluations) == 2 and {"AP", "AP50", "AP50 box", "AP50 disc"} <= evaluations[0].keys() == evaluations[1].keys()
    assert (tmp_path / "run/curves.png").stat().st_size > 5000


def test_train_same_seed_gives_equal_bits_with_and_without_workers(tmp_path):
    torch.rand(3)  # the caller's random numbers change nothing
    paths = [start(tmp_path / name, config(seed=seed), workers=n) for name, seed, n in (("a", 0, 0), ("b", 0, 2), ("c", 1, 1))]
    assert_equal_bits(tmp_path / "a/state.safetensors", tmp_path / "b/state.safetensors")
    assert not torch.equal(*(tensors(path)["backbone.conv1.weight"] for path in (paths[0], paths[2])))


@pytest.mark.parametrize(
    ("precision", "changes"),
    [("fp32", {}), ("bf16", {"optimizer": "adamw", "schedule": "cosine", "lr": 0.001, "backbone_lr": 0.2, "frozen_stages": 1})],
    ids=["sgd", "adamw"],
)
def test_train_killed_and_resumed_equals_an_uninterrupted_run(tmp_path, monkeypatch, precision, changes):
    """To the bit: weights, average, the optimiser's averages; and no row of the log is missing or duplicated."""
    monkeypatch.setattr(loop, "LOG_EVERY", 1)
    settings = config(steps=9, precision=precision, **changes)
    start(tmp_path / "straight", settings)
    start_and_kill(tmp_path / "killed", settings, 5, monkeypatch)
    assert [row["step"] for row in rows(tmp_path / "killed")] == [1, 2, 3, 4, 5]
    torch.manual_seed(99)
    path = start(tmp_path / "killed", settings, resume=True)
    for name in ("state.safetensors", "model.safetensors"):
        assert_equal_bits(tmp_path / "straight" / name, tmp_path / "killed" / name)
    straight, killed = ([{**row, "s": None} for row in rows(tmp_path / run)] for run in ("straight", "killed"))
    assert straight == killed
    starts = checkpoint.read_metadata(path)[1]["starts"]
    assert [entry["step"] for entry in starts] == [0, 3] and {entry["precision"] for entry in starts} == {precision}


def test_train_interrupted_write_keeps_the_last_state(tmp_path, monkeypatch):
    start_and_kill(tmp_path / "run", config(), 4, monkeypatch)
    before = (tmp_path / "run/state.safetensors").read_bytes()

    def cut_short(tensors, path, metadata):
        path.write_bytes(b"half of it")
        raise OSError("disk full")

    with monkeypatch.context() as patch, pytest.raises(InputError, match="model.safetensors: cannot be written"):
        patch.setattr(checkpoint, "save_file", cut_short)
        start(tmp_path / "run", config(), resume=True)
    assert (tmp_path / "run/state.safetensors").read_bytes() == before
    start(tmp_path / "run", config(), resume=True)
    assert rows(tmp_path / "run")[-1]["step"] == 6


def test_train_resumed_repeats_an_interrupted_evaluation(tmp_path):
    class Interrupted(list):
        def __getitem__(self, index):
            raise Killed

    with pytest.raises(Killed):
        start(tmp_path / "run", config(), held_out=Interrupted([scene(0)]))
    start(tmp_path / "run", config(), held_out=[scene(0)], resume=True)
    assert [row["step"] for row in rows(tmp_path / "run") if "evaluation" in row] == [3, 6]


def test_train_with_init_takes_weights_and_records_them(tmp_path, capsys):
    """Frozen stages keep the bits that they start with, the rest moves; the chain of provenance grows by a link a run."""
    first = start(tmp_path / "first", config(steps=2, seed=3))
    capsys.readouterr()
    settings = config(steps=2, frozen_stages=2, frozen_norm=True, ema=0.0)
    second = start(tmp_path / "second", settings, init=first)
    assert capsys.readouterr().out.splitlines() == [
        f"{first}: 112 of the model's 112 tensors taken",
        "  classes taken: background, box, disc",
    ]
    before, after = tensors(first), tensors(second)
    frozen = ("backbone.conv1.", "backbone.bn1.", "backbone.layer1.")
    moved = {name for name in before if not torch.equal(before[name], after[name]) and "num_batches" not in name}
    weights = {name for name in before if name.endswith("weight")}
    assert moved >= {name for name in weights if not name.startswith(frozen)}
    assert not any(name.startswith(frozen) or "running" in name for name in moved)
    third = start(tmp_path / "third", config(steps=1), init=second)
    links = checkpoint.read_metadata(third)[1]["init"]
    assert [link["file"] for link in links] == ["model.safetensors"] * 2
    assert [link["provenance"]["train_config"]["seed"] for link in links] == [0, 3]
    assert links[0]["sha256"] == hashlib.sha256(second.read_bytes()).hexdigest()
    assert checkpoint.read_metadata(first)[1]["init"] is None
    with pytest.raises(InputError, match=r"resume continues the same run, but init was .*, is null"):
        start(tmp_path / "second", settings, resume=True)
    start(tmp_path / "second", dataclasses.replace(settings, steps=3), init=first, resume=True)
    assert "tensors taken" not in capsys.readouterr().out.splitlines()[-1]


def test_train_with_unusable_init_creates_nothing(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(b"nonsense")
    with pytest.raises(InputError, match="a.safetensors: not a readable"):
        start(tmp_path / "run", config(), init=tmp_path / "a.safetensors")
    assert not (tmp_path / "run").exists()


def test_train_other_than_the_run_of_the_folder_raises(tmp_path):
    """Only the number of steps may grow."""
    start(tmp_path / "run", config(steps=3), data={"images_sha256": "aa"})
    wider = dataclasses.replace(MODEL, width=32)
    for folder, changes, digest, resume, says in (
        ("run", {"lr": 0.5}, "bb", True, 'train_config.lr was 0.02, is 0.5; data.images_sha256 was "aa", is "bb"; another'),
        ("run", {"model": wider}, "aa", True, "model.width was 16, is 32; another"),
        ("run", {"steps": 2}, "aa", True, "has done 3 steps already, more than the 2 requested"),
        ("run", {}, "aa", False, "holds a run already"),
        ("other", {}, "aa", True, "no run to resume"),
    ):
        with pytest.raises(InputError, match=says):
            start(tmp_path / folder, config(**{"steps": 3, **changes}), data={"images_sha256": digest}, resume=resume)
    path = start(tmp_path / "run", config(steps=5), data={"images_sha256": "aa"}, resume=True)
    assert checkpoint.read_metadata(path)[1]["steps"] == 5


@pytest.mark.parametrize("says", ["roi_mask nan", "norm (nan|inf)"])
def test_train_diverged_names_the_step_and_keeps_the_last_state(tmp_path, monkeypatch, says):
    """Step 4 of 6 is not finite; what was saved after step 3 stays."""
    real = loop.compute_losses

    def diverges(model, items, settings, precision, seeds):
        losses = real(model, items, settings, precision, seeds)
        if seeds[0] == 3 * settings.batch:
            root = losses["roi_mask"] - losses["roi_mask"].detach()  # 0; its square root has an infinite gradient
            losses["roi_mask"] = losses["roi_mask"] * float("nan") if says == "roi_mask nan" else torch.sqrt(root)
        return losses

    monkeypatch.setattr(loop, "compute_losses", diverges)
    with pytest.raises(loop.NonFiniteLoss, match=f"^step 4: .*{says}"):
        start(tmp_path / "run", config())
    assert all(torch.isfinite(value).all() for value in tensors(tmp_path / "run/state.safetensors").values())
    assert checkpoint.read_metadata(tmp_path / "run/model.safetensors")[1]["steps"] == 3


def test_train_images_without_objects_succeeds(tmp_path):
    nothing = np.zeros(0, bool)
    empty = Sample(np.zeros((96, 128, 3), np.uint8), np.zeros((0, 96, 128), bool), nothing.astype(np.int64), nothing, "e")
    settings = config(steps=2)
    assert loop.train(settings, Batches(settings, [empty], scene), tmp_path / "run", CPU).exists()


def test_train_step_accumulated_equals_the_step_of_all_images():
    """Four images, by ones, twos and at once; statistics of BatchNorm fixed."""
    after = []
    for accumulate in (1, 2, 4):
        settings = config(batch=4, accumulate=accumulate, frozen_norm=True, warmup=0)
        torch.manual_seed(0)
        state = new_state(FCIS(MODEL), settings, CPU)
        before = state.model.score_maps.score.weight.detach().clone()
        loop.train_step(state, Batches(settings, [scene(0), scene(1)], scene)[0], settings, "fp32")
        assert not torch.equal(state.model.score_maps.score.weight, before)
        after.append((state.losses, state.model.state_dict()))
    for losses, weights in after[1:]:
        assert losses == pytest.approx(after[0][0], rel=1e-5)
        for name, value in weights.items():
            assert torch.allclose(value, after[0][1][name], rtol=1e-4, atol=2e-6), name
