import json

import numpy as np
import pytest
import torch

from fcis_ros.config import ModelConfig
from fcis_ros.errors import InputError
from fcis_ros.evaluation.coco import evaluate
from fcis_ros.model import checkpoint
from fcis_ros.model.predictor import Predictor
from fcis_ros.structures import Sample
from fcis_ros.training import loop
from fcis_ros.training.batches import Batches
from fcis_ros.training.config import TrainConfig

CPU = torch.device("cpu")
MODEL = ModelConfig(
    class_names=("box", "disc"), backbone="resnet18", width=8, short_side=96, max_side=160, reduced_channels=32,
    rpn_channels=32, anchor_scales=(1.5, 2.5, 4.0), anchor_ratios=(0.7, 1.0, 1.4), rpn_pre_nms=300, rpn_post_nms=40,
    bins=3, grid=9,
)  # fmt: skip


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
              "paste": 0.0, "synthetic": 0.0, "rois": 40, "ohem": 40, "ema": 0.9, "eval_every": 3}  # fmt: skip
    return TrainConfig(**{**values, **changes})


def start(out, settings, **arguments):
    return loop.train(settings, Batches(settings, [scene(0), scene(1)], scene), out, CPU, {"data": "test"}, **arguments)


def mask_ap50(path) -> float:
    predictor = Predictor.from_checkpoint(path, device="cpu", precision="fp32")
    truth = [scene(0), scene(1)]
    return evaluate(truth, [predictor(sample.image) for sample in truth], MODEL.class_names)["segm"]["AP50"]


def test_over_fits_two_images(tmp_path):
    """The losses fall, and the averaged model finds both objects of both images."""
    settings = config(steps=160, warmup=20, batch=2, lr=0.05, eval_every=1000)
    path = start(tmp_path / "run", settings)
    rows = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    assert sum(rows[-1][name] for name in loop.LOSSES) < 0.5 * sum(rows[0][name] for name in loop.LOSSES)
    assert mask_ap50(path) >= 0.9


def test_writes_what_it_promises(tmp_path):
    path = start(tmp_path / "run", config(), evaluate=lambda model: {"AP50": 0.25})
    model_config, provenance = checkpoint.read_metadata(path)
    assert model_config == MODEL
    assert provenance["steps"] == 6 and provenance["data"] == "test" and provenance["train_config"]["lr"] == 0.02
    rows = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    assert [row["evaluation"]["AP50"] for row in rows if "evaluation" in row] == [0.25, 0.25]
    assert (tmp_path / "run/curves.png").stat().st_size > 5000


def test_resume_goes_on_as_if_never_stopped(tmp_path):
    straight = checkpoint.load(start(tmp_path / "straight", config()))
    start(tmp_path / "halves", config(steps=3, milestones=(1.4, 1.8)))
    resumed = checkpoint.load(start(tmp_path / "halves", config(), resume=True))
    for name, value in straight.state_dict().items():
        assert torch.allclose(value, resumed.state_dict()[name], atol=1e-4), name


def test_refuses_to_overwrite_or_to_resume_nothing(tmp_path):
    start(tmp_path / "run", config(steps=1))
    with pytest.raises(InputError, match="holds a run already"):
        start(tmp_path / "run", config())
    with pytest.raises(InputError, match="no run to resume"):
        start(tmp_path / "other", config(), resume=True)


def test_stops_when_a_loss_is_not_finite(tmp_path, monkeypatch):
    def broken(model, *arguments, **keywords):
        weight = next(model.parameters()).sum()
        return {name: weight * (float("nan") if name == "roi_mask" else 0) for name in loop.LOSSES}

    monkeypatch.setattr(loop, "compute_losses", broken)
    with pytest.raises(loop.NonFiniteLoss, match="step 0: .*roi_mask nan"):
        start(tmp_path / "run", config())


def test_images_without_objects_train_too(tmp_path):
    nothing = np.zeros(0, bool)
    empty = Sample(np.zeros((96, 128, 3), np.uint8), np.zeros((0, 96, 128), bool), nothing.astype(np.int64), nothing, "e")
    settings = config(steps=2)
    assert loop.train(settings, Batches(settings, [empty], scene), tmp_path / "run", CPU, {}).exists()


def test_rate_warms_up_and_steps_down():
    settings = config(steps=100, warmup=10, milestones=(0.5, 0.9), lr=1.0)
    assert [round(loop.learning_rate(settings, step), 6) for step in (0, 4, 9, 49, 50, 90)] == [0.1, 0.5, 1, 1, 0.1, 0.01]


def test_config_file_errors_are_named(tmp_path):
    path = tmp_path / "run.json"
    with pytest.raises(InputError, match="run.json: No such file"):
        TrainConfig.read(path)
    path.write_text("{")
    with pytest.raises(InputError, match="not JSON"):
        TrainConfig.read(path)
    path.write_text('{"model": {"class_names": ["a"]}, "steps": 1, "color": 2}')
    with pytest.raises(InputError, match="color"):
        TrainConfig.read(path)
