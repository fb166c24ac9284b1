# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Train a model on COCO instance annotations, rendered driving scenes, or both.

DIR gets model.safetensors (averaged weights), log.jsonl, curves.png and state.safetensors, from which --resume continues.
"""

import argparse
import dataclasses
import sys
from pathlib import Path

from fcis_ros.cli.arguments import count, refuse, unit
from fcis_ros.errors import InputError

EVAL_LIMIT = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", required=True, metavar="JSON", help="model and schedule, such as config/train_road.json")
    parser.add_argument("--annotations", metavar="JSON", help="COCO instance file; without it all images are rendered")
    parser.add_argument("--images", metavar="DIR", help="folder of its images")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of the run, created")
    parser.add_argument(
        "--init",
        metavar="FILE",
        help="weights to start from, .safetensors: a checkpoint, or a ResNet under torchvision's names; what fits is taken",
    )
    parser.add_argument("--eval-annotations", metavar="JSON", help="COCO instance file to measure AP on as training goes")
    parser.add_argument("--eval-images", metavar="DIR", help="folder of its images")
    what = f"with --eval-annotations: measure on so many images (default: {EVAL_LIMIT})"
    parser.add_argument("--eval-limit", type=count, help=what)
    parser.add_argument("--steps", type=count, help="optimiser steps, instead of the configuration's")
    parser.add_argument("--batch", type=count, help="images per step, instead of the configuration's")
    what = "with --annotations: fraction of rendered images, instead of the configuration's"
    parser.add_argument("--synthetic", type=unit, help=what)
    parser.add_argument("--seed", type=int, help="of weights, order and augmentation, instead of the configuration's")
    parser.add_argument(
        "--precision",
        choices=["auto", "fp32", "bf16"],
        help="of the convolutions, instead of the configuration's; auto is bf16 where the hardware has it",
    )
    parser.add_argument(
        "--resume",
        nargs="?",
        const="always",
        choices=["always", "auto"],
        help="continue the run in DIR, which must be the same but for --steps; auto: begin one if there is none",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: %(default)s)")
    parser.add_argument("--threads", type=count, help="CPU threads (default: PyTorch's choice)")
    parser.add_argument("--workers", type=count, default=1, help="processes that make the batches (default: %(default)s)")


def run(arguments: argparse.Namespace) -> None:
    import torch

    from fcis_ros.data.synthetic.scenes import CLASS_NAMES, SyntheticScenes
    from fcis_ros.model.device import choose_device
    from fcis_ros.training.batches import Batches
    from fcis_ros.training.distributed import join, local_device
    from fcis_ros.training.loop import NonFiniteLoss, train
    from fcis_ros.training.provenance import describe_data
    from fcis_ros.training.train_config import TrainConfig

    if arguments.annotations is None:
        refuse(arguments, "needs --annotations", "synthetic")
    if arguments.eval_annotations is None:
        refuse(arguments, "needs --eval-annotations", "eval_limit")
    config = TrainConfig.read(arguments.config)
    overrides = {name: getattr(arguments, name) for name in ("steps", "batch", "synthetic", "seed", "precision")}
    config = dataclasses.replace(config, **{name: value for name, value in overrides.items() if value is not None})
    names = config.model.class_names
    photos = _dataset("", arguments.annotations, arguments.images, names)
    if photos is None:
        config = dataclasses.replace(config, synthetic=1.0)
    elif config.synthetic == 1:
        refuse(arguments, "has no effect: synthetic is 1, so all images are rendered", "annotations")
    if config.synthetic > 0 and names != CLASS_NAMES:
        raise InputError(
            f"training config {arguments.config}: rendered images have the classes {', '.join(CLASS_NAMES)}, "
            f"the model {', '.join(names)}; use --synthetic 0 and --annotations"
        )
    held_out = _dataset("eval-", arguments.eval_annotations, arguments.eval_images, names)
    device = choose_device(local_device(arguments.device))
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    out = Path(arguments.out)
    resume = arguments.resume == "always" or (arguments.resume == "auto" and (out / "state.safetensors").exists())
    processes = join(device)
    scenes = SyntheticScenes(config.seed).sample
    batches = Batches(config, photos if photos is not None else (), scenes, processes.rank, processes.count)
    try:
        path = train(
            config,
            batches,
            out,
            device,
            data=None if photos is None else processes.from_first(lambda: describe_data(photos)),
            init=Path(arguments.init) if arguments.init else None,
            evaluate=None if held_out is None else _measure(held_out, arguments.eval_limit or EVAL_LIMIT, device, processes),
            resume=resume,
            workers=arguments.workers,
            processes=processes,
        )
    except NonFiniteLoss as error:
        sys.exit(f"fcis: training diverged at {error}; {arguments.out} holds what was saved last" if processes.first else 1)
    finally:
        processes.leave()
    if processes.first:
        print(path)


def _dataset(prefix: str, annotations: str | None, images: str | None, names: tuple[str, ...]):
    from fcis_ros.data.coco import CocoDataset

    if (annotations is None) != (images is None):
        raise InputError(f"--{prefix}annotations and --{prefix}images belong together, one of them is missing")
    return None if annotations is None else CocoDataset(annotations, images, names)


def _measure(dataset, limit: int, device, processes):
    """model -> figures for the log, in the first of the processes, which share the images.

    The model is copied, for the predictor folds its normalisation.
    """
    import copy

    from fcis_ros.metrics.average_precision import Table, measure
    from fcis_ros.metrics.coco_results import to_annotations, to_results
    from fcis_ros.metrics.matching import match_image
    from fcis_ros.model.predictor import Predictor

    def matches(predictor: Predictor, index: int):
        sample = dataset[index]
        return match_image(to_annotations(sample, index, 1), to_results(predictor(sample.image), index))

    def figures(model) -> dict[str, float] | None:
        predictor = Predictor(copy.deepcopy(model), "training", device)
        own = [matches(predictor, index) for index in processes.share(range(min(limit, len(dataset))))]
        if (images := processes.merge(own)) is None:
            return None
        ap = measure(Table.of(images), predictor.config.class_names)
        found = {**ap["segm"], **{f"AP50 {name}": value for name, value in ap["per_class"].items()}}
        return {name: value for name, value in found.items() if value is not None}

    return figures
