"""The training loop: SGD with warm-up and steps, averaged weights, resumable, with losses and AP in a file and a plot."""

import copy
import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from fcis_ros import boxes, ops
from fcis_ros.errors import InputError
from fcis_ros.model import checkpoint
from fcis_ros.model.backbone import STRIDE
from fcis_ros.model.fcis import FCIS, with_image_index
from fcis_ros.model.proposals import propose
from fcis_ros.training.augment import TrainItem
from fcis_ros.training.batches import Batches
from fcis_ros.training.config import TrainConfig
from fcis_ros.training.losses import roi_losses, rpn_losses
from fcis_ros.training.plot import plot_log
from fcis_ros.training.targets import roi_targets, rpn_targets

LOSSES = ("rpn_class", "rpn_box", "roi_class", "roi_mask", "roi_box")


class NonFiniteLoss(RuntimeError):
    """A loss became infinite or NaN; the message holds its terms."""


def compute_losses(model: FCIS, items: list[TrainItem], config: TrainConfig, seed: int) -> dict[str, Tensor]:
    """The five losses of a batch, each averaged over its images.

    Args:
        model: in training mode.
        items: crops of equal size.
        config: ROI counts and weights.
        seed: of the anchor sampling.
    """
    device = next(model.parameters()).device
    images = torch.stack([item.image for item in items]).to(device, memory_format=torch.channels_last)
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda"):
        maps = model.dense(images)
    logits, deltas = maps.logits, maps.deltas
    anchors = boxes.grid_anchors(model.rpn.anchors, *logits.shape[2:], STRIDE)
    generator = torch.Generator().manual_seed(seed)
    totals = {name: images.new_zeros(()) for name in LOSSES}
    geometry = (model.config.bins, model.config.grid, STRIDE)
    items = [TrainItem(*(getattr(item, field.name).to(device) for field in fields(item))) for item in items]
    rpn, targets = [], []
    for i, item in enumerate(items):
        rpn.append(rpn_losses(logits[i], deltas[i], *rpn_targets(anchors, item, generator)))
        raw = logits[i].detach(), deltas[i].detach()
        proposals = propose(*raw, model.rpn.anchors, maps.height, maps.width, model.config).boxes
        proposals = proposals[torch.isfinite(proposals).all(dim=1)][: config.rois]
        targets.append(roi_targets(proposals, item, model.config.box_stds, model.config.grid))
    # All images in one call of each operator: each makes one gradient as large as the maps.
    rois = torch.cat([with_image_index(target.rois, i) for i, target in enumerate(targets)])
    labels = torch.cat([target.labels for target in targets])
    counts = [len(target.rois) for target in targets]
    scores = ops.class_scores(maps.score_maps, rois, *geometry).split(counts)
    pairs = ops.class_masks(maps.score_maps, rois, torch.where(labels > 0, labels, -1), *geometry).split(counts)  # -1: zeros
    moves = ops.box_deltas(maps.box_maps, rois, *geometry).split(counts)
    for i, target in enumerate(targets):
        roi = roi_losses(
            scores[i], pairs[i], moves[i], target.labels, target.masks, target.deltas, config.ohem, config.mask_weight
        )
        for name, value in zip(LOSSES, (*rpn[i], *roi), strict=True):
            totals[name] = totals[name] + value / len(items)
    return totals


def learning_rate(config: TrainConfig, step: int) -> float:
    """Linear warm-up, then a factor of ten down at each milestone."""
    rise = min((step + 1) / max(config.warmup, 1), 1.0)
    return config.lr * rise * 0.1 ** sum(step >= fraction * config.steps for fraction in config.milestones)


def make_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.SGD:
    """SGD with weight decay on convolution weights alone."""
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum)


@torch.no_grad()
def update_average(average: FCIS, model: FCIS, decay: float) -> None:
    """Moves the averaged weights and statistics towards the current ones."""
    for mean, value in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
        if mean.is_floating_point():
            mean.lerp_(value, 1 - decay)
        else:
            mean.copy_(value)


def train(
    config: TrainConfig,
    batches: Batches,
    out: Path,
    device: torch.device,
    provenance: dict[str, Any],
    evaluate: Callable[[FCIS], dict[str, float]] | None = None,
    resume: bool = False,
) -> Path:
    """Trains a model.

    Args:
        config: the run.
        batches: its data.
        out: folder for ``model.safetensors`` (averaged weights), ``log.jsonl``, ``curves.png`` and the state to resume from.
        device: where to compute.
        provenance: stored in the checkpoint.
        evaluate: called with the averaged model every ``eval_every`` steps; what it returns goes to the log.
        resume: continue from the state in ``out``.

    Returns:
        The checkpoint.

    Raises:
        InputError: ``out`` holds a run already, or none that can be resumed.
        NonFiniteLoss: training diverged.
    """
    out.mkdir(parents=True, exist_ok=True)
    state_file, log_file, model_file = out / "state.pt", out / "log.jsonl", out / "model.safetensors"
    if resume != state_file.exists():
        problem = "no run to resume there" if resume else "holds a run already; use --resume or another folder"
        raise InputError(f"{out}: {problem}")
    torch.manual_seed(config.seed)
    model = FCIS(config.model).to(device, memory_format=torch.channels_last)
    average = copy.deepcopy(model).eval()
    optimizer = make_optimizer(model, config)
    start = 0
    if resume:
        state = torch.load(state_file, map_location=device, weights_only=True)
        model.load_state_dict(state["model"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        start = state["step"]
    model.train()
    if config.freeze_norm:
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
    loader = DataLoader(batches, batch_size=None, sampler=range(start, config.steps), num_workers=1, prefetch_factor=4)
    running, began = dict.fromkeys(LOSSES, 0.0), time.monotonic()
    with open(log_file, "a") as log, tqdm(total=config.steps, initial=start, desc="train", unit="step") as progress:
        for step, items in enumerate(loader, start):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(config, step)
            losses = compute_losses(model, items, config, seed=config.seed * 1_000_003 + step)
            values = {name: value.item() for name, value in losses.items()}
            if not all(math.isfinite(value) for value in values.values()):
                raise NonFiniteLoss(f"step {step}: " + ", ".join(f"{name} {value}" for name, value in values.items()))
            optimizer.zero_grad(set_to_none=True)
            sum(losses.values()).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 10.0)
            optimizer.step()
            update_average(average, model, min(config.ema, (step + 1) / (step + 10)))
            for name, value in values.items():
                running[name] = value if step == start else 0.98 * running[name] + 0.02 * value
            progress.update()
            if step % 20 == 0:
                progress.set_postfix({name: f"{value:.3f}" for name, value in running.items()})
                row = {"step": step, "lr": optimizer.param_groups[0]["lr"], "s": round(time.monotonic() - began, 1), **running}
                print(json.dumps(row), file=log, flush=True)
            last = step + 1 == config.steps
            if last or (step + 1) % config.eval_every == 0:
                checkpoint.save(model_file, average, {**provenance, "steps": step + 1, "train_config": config.to_dict()})
                state = {"model": model.state_dict(), "average": average.state_dict(), "optimizer": optimizer.state_dict()}
                torch.save({**state, "step": step + 1}, state_file.with_suffix(".partial"))
                os.replace(state_file.with_suffix(".partial"), state_file)
                if evaluate is not None:
                    measured = evaluate(average)
                    print(json.dumps({"step": step + 1, "evaluation": measured}), file=log, flush=True)
                    tqdm.write(f"step {step + 1}: " + ", ".join(f"{name} {value:.3f}" for name, value in measured.items()))
                plot_log(log_file, out / "curves.png")
    return model_file
