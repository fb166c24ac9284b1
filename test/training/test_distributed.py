# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Two processes under torchrun, gloo on the CPU, against one: fp32, statistics of BatchNorm fixed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import safetensors.torch
import torch
import torch.distributed as dist

from fcis_ros.config import ModelConfig
from fcis_ros.data.frame_sources import read_image
from fcis_ros.errors import InputError
from fcis_ros.metrics.coco_results import to_results
from fcis_ros.model import checkpoint
from fcis_ros.model.predictor import Predictor
from fcis_ros.training.distributed import Processes, check_share
from fcis_ros.training.losses import LOSSES
from fcis_ros.training.train_config import TrainConfig

MODEL = ModelConfig(
    class_names=("car", "pedestrian", "bicyclist"), backbone="resnet18", width=8, stride_in_1x1=False, short_side=90,
    max_side=160, reduced_channels=16, rpn_channels=8, anchor_scales=(1.0, 2.0, 4.0), rpn_pre_nms=100, rpn_post_nms=20,
)  # fmt: skip


def write_config(path: Path, **changes) -> Path:
    values = {"steps": 3, "batch": 4, "crop": (96, 128), "ohem": 16, "warmup": 1, "lr": 0.01, "frozen_norm": True, "ema": 0.5}
    config = TrainConfig(MODEL, **{**values, "synthetic": 0.0, "precision": "fp32", "eval_every": 2, **changes})
    path.write_text(json.dumps(config.to_dict()))
    return path


def command(processes: int, *arguments, restarts: int = 0) -> list[str]:
    """``fcis`` in so many processes."""
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", f"--max-restarts={restarts}"]
    return [sys.executable, *(launcher if processes > 1 else []), "-m", "fcis_ros", *map(str, arguments)]


# Restarted processes meet in a separate store; in torchrun's shared one they may find the addresses of those that died.
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}


def run(processes: int, *arguments) -> subprocess.CompletedProcess:
    done = subprocess.run(command(processes, *arguments), env=ENVIRONMENT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    return done


@pytest.fixture
def photos(tmp_path) -> list:
    """Arguments that name four annotated images, of a box each."""
    images, annotations = [], []
    for i in range(4):
        picture = np.random.default_rng(i).integers(0, 80, (90, 120, 3), dtype=np.uint8)
        x, y = 10 + 12 * i, 20 + 4 * i
        picture[y : y + 40, x : x + 50] = 200
        cv2.imwrite(str(tmp_path / f"{i}.png"), picture)
        images.append({"id": i, "file_name": f"{i}.png", "height": 90, "width": 120})
        polygon = [x, y, x + 50, y, x + 50, y + 40, x, y + 40]
        annotations.append({"id": i, "image_id": i, "category_id": 1, "segmentation": [polygon]})
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "car"}]}
    (tmp_path / "instances.json").write_text(json.dumps(content))
    return ["--annotations", tmp_path / "instances.json", "--images", tmp_path]


def train_arguments(config: Path, out: Path, photos: list) -> list:
    return ["train", "--config", config, "--out", out, "--device", "cpu", "--threads", "1", *photos]


def tensors(out: Path, name: str = "state") -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(out / f"{name}.safetensors")


def test_processes_shares_are_every_nth_item():
    shares = [Processes(rank, 3).share(range(8)) for rank in range(3)]
    assert [list(share) for share in shares] == [[0, 3, 6], [1, 4, 7], [2, 5]]
    assert Processes().merge([1, 2, 3]) == [1, 2, 3]


def test_from_first_computes_once_and_all_get_the_value_or_the_error(monkeypatch):
    """Two processes one after the other; what the first one sends is what the second one receives."""
    sent = []

    def broadcast(result, group):
        result[:] = sent[-1:] if result == [None] else sent.append(result[0]) or result

    def refuse():
        raise InputError("a.jpg: no such image")

    monkeypatch.setattr(dist, "broadcast_object_list", broadcast)
    first, second = Processes(0, 2), Processes(1, 2)
    assert first.from_first(lambda: {"images": 4}) == second.from_first(None) == {"images": 4}
    for process, compute in ((first, refuse), (second, None)):
        with pytest.raises(InputError, match="a.jpg: no such image"):
            process.from_first(compute)


@pytest.mark.parametrize(("batch", "accumulate", "count"), [(4, 1, 3), (4, 4, 2), (1, 1, 2)])
def test_check_share_indivisible_batch_raises(batch, accumulate, count):
    with pytest.raises(InputError, match=f"a batch of {batch} images cannot be shared out equally to {count} processes"):
        check_share(batch, accumulate, Processes(0, count))


def assert_same_run(one: Path, other: Path):
    """Within the rounding of sums in another order: weights by their steps' size, losses to six digits."""
    rows = [[json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()] for out in (one, other)]
    assert [row["step"] for row in rows[0]] == [row["step"] for row in rows[1]] and len(rows[0]) >= 2
    evaluations = [[row["evaluation"] for row in log if "evaluation" in row] for log in rows]
    assert len(evaluations[0]) == 2 and evaluations[0] == [pytest.approx(figures, abs=0.01) for figures in evaluations[1]]
    for a, b in zip(*([row for row in log if "evaluation" not in row] for log in rows), strict=True):
        assert [a[name] for name in LOSSES] == pytest.approx([b[name] for name in LOSSES], rel=1e-5, abs=1e-6)
    a, b = tensors(one), tensors(other)
    assert a.keys() == b.keys()
    for name in a:
        assert torch.allclose(a[name], b[name], rtol=1e-4, atol=2e-6), name
    assert any(not torch.equal(a[name], b[name]) for name in a)  # else it may have been one process both times


@pytest.mark.slow
def test_train_two_processes_make_the_run_of_one(tmp_path, photos):
    """Four images a step, by one process in two halves and by two; the evaluation is shared out as well.

    In halves, because convolutions round by the number of images that they get at once, and last bits can decide which ROIs are
    examples.
    """
    halves, whole = (write_config(tmp_path / f"{count}.json", accumulate=count) for count in (2, 1))
    photos += ["--eval-annotations", photos[1], "--eval-images", photos[3], "--eval-limit", "3"]
    run(1, *train_arguments(halves, tmp_path / "one", photos))
    done = run(2, *train_arguments(whole, tmp_path / "two", photos))
    said = done.stdout.splitlines()
    assert [line.split(":")[0] for line in said] == ["step 2", "step 3", str(tmp_path / "two/model.safetensors")]  # once each
    assert done.stderr.count("checking the images:   0%") == 2  # those to train and to evaluate on, by one process
    assert_same_run(tmp_path / "one", tmp_path / "two")
    starts = [checkpoint.read_metadata(tmp_path / name / "model.safetensors")[1]["starts"] for name in ("one", "two")]
    assert [[start["processes"] for start in entries] for entries in starts] == [[1], [2]]


@pytest.mark.slow
def test_evaluate_two_processes_give_the_same_report(tmp_path, photos, tiny_checkpoint):
    """To the last digit, but for times; five images, in unequal shares. Truth is some of what the model finds."""
    content = json.loads(photos[1].read_text())
    shutil.copy(photos[3] / content["images"][0]["file_name"], photos[3] / "again.png")
    content["images"].append({**content["images"][0], "id": 9, "file_name": "again.png"})
    predictor = Predictor.from_checkpoint(tiny_checkpoint, "cpu", 1, "fp32")
    content["categories"] = [{"id": i, "name": name} for i, name in enumerate(MODEL.class_names, 1)]
    content["annotations"] = []
    for image in content["images"]:
        instances = predictor(read_image(photos[3] / image["file_name"]))
        content["annotations"] += to_results(instances, image["id"])[::3]
    photos[1].write_text(json.dumps(content))
    reports = []
    for processes in (1, 2):
        out = tmp_path / f"by-{processes}"
        more = ["--checkpoint", tiny_checkpoint, "--device", "cpu", "--precision", "fp32", "--threads", "1", "--score", "0.1"]
        said = run(processes, "evaluate", *photos, *more, "--out", out).stdout
        assert said.count("mAPr at 0.5") == 1 and (out / "report.html").is_file()
        report = json.loads((out / "report.json").read_text())
        reports.append({key: value for key, value in report.items() if key not in ("latency_ms", "fps")})
    assert reports[0] == reports[1] and reports[0]["frames_in"] == 5
    assert 0 < reports[0]["ap"]["segm"]["AP"] < 1


@pytest.mark.slow
def test_train_killed_and_restarted_process_gives_the_same_bits(tmp_path, photos):
    """torchrun ends the other one, starts both again, and --resume auto goes on: to the bit the run that was not disturbed."""
    config = write_config(tmp_path / "run.json", steps=20, eval_every=4, optimizer="adamw", lr=0.001)
    run(2, *train_arguments(config, tmp_path / "straight", photos))
    out = tmp_path / "killed"
    arguments = [*train_arguments(config, out, photos), "--resume", "auto"]
    with open(tmp_path / "said", "w") as said, subprocess.Popen(
        command(2, *arguments, restarts=1), env=ENVIRONMENT, stdout=said, stderr=said
    ) as launcher:  # fmt: skip
        try:
            deadline = time.monotonic() + 200
            while not (out / "state.safetensors").exists():
                assert launcher.poll() is None and time.monotonic() < deadline, (tmp_path / "said").read_text()[-3000:]
                time.sleep(0.05)
            children = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()
            os.kill(int(children[-1]), signal.SIGKILL)
            assert launcher.wait(timeout=240) == 0, (tmp_path / "said").read_text()[-3000:]
        finally:
            launcher.kill()
    starts = checkpoint.read_metadata(out / "model.safetensors")[1]["starts"]
    assert len(starts) == 2 and starts[1]["step"] >= 4 and [start["processes"] for start in starts] == [2, 2]
    straight, killed = tensors(tmp_path / "straight"), tensors(out)
    assert straight.keys() == killed.keys() and all(torch.equal(straight[name], killed[name]) for name in straight)


@pytest.mark.slow
def test_train_two_processes_agree_on_damaged_images(tmp_path, photos):
    """Refused by both, without a traceback; or left out by both, which train on the same images as one process."""
    (tmp_path / "2.png").write_bytes(b"cut")
    arguments = ["train", "--config", write_config(tmp_path / "run.json"), *photos, "--device", "cpu", "--out"]
    refused = subprocess.run(
        command(2, *arguments, tmp_path / "refused"), env=ENVIRONMENT, capture_output=True, text=True, timeout=240
    )
    said = [line for line in refused.stderr.splitlines() if line.startswith("fcis: ")]
    assert refused.returncode != 0 and len(said) == 2 and said[0] == said[1]
    assert "1 of 4 images cannot be used: 2.png" in said[0]
    for processes in (1, 2):
        run(processes, *arguments, tmp_path / str(processes), "--skip-damaged")
    data = [checkpoint.read_metadata(tmp_path / f"{count}/model.safetensors")[1]["data"] for count in (1, 2)]
    assert data[0] == data[1] and data[0]["excluded"] == ["2.png"]


@pytest.mark.slow
def test_evaluate_two_processes_leave_out_the_same_images(tmp_path, photos, tiny_checkpoint):
    (tmp_path / "2.png").write_bytes(b"cut")
    reports = []
    for processes in (1, 2):
        out = tmp_path / str(processes)
        options = ["--checkpoint", tiny_checkpoint, "--device", "cpu", "--precision", "fp32"]
        arguments = ["evaluate", *photos, *options, "--out", out]
        done = subprocess.run(command(processes, *arguments), env=ENVIRONMENT, capture_output=True, text=True, timeout=240)
        assert done.returncode != 0 and "1 of 4 images cannot be used: 2.png" in done.stderr
        reports.append(json.loads((out / "report.json").read_text()))
    assert reports[0]["ap"] == reports[1]["ap"] and reports[0]["findings"] == reports[1]["findings"]
