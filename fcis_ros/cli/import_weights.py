# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Make a checkpoint from weights of the released FCIS, or a start for training from those of an ImageNet ResNet.

FILE is one of
  MXNet's .params of the released FCIS (fcis_coco-0000.params, or of the VOC model);
  ChainerCV's .npz of the same (fcis_resnet101_coco_converted_2019_01_30.npz);
  MXNet's .params of a ResNet-v1-50, 101 or 152 trained on ImageNet, as the released training starts from.
The first two give a checkpoint of this project, with the configuration that the released model was tested with; the last gives
a backbone with torchvision's names, for fcis train --init. Nothing is unpickled.
"""

import argparse
from pathlib import Path

from fcis_ros.cli.arguments import refuse
from fcis_ros.errors import InputError
from fcis_ros.files import sha256


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="weights of another program")
    parser.add_argument("out", metavar="OUT.safetensors", help="file to write, replaced if it exists")
    parser.add_argument(
        "--config", metavar="JSON", help="configuration of a network other than the released COCO and VOC models"
    )


def run(arguments: argparse.Namespace) -> None:
    from tqdm import tqdm

    from fcis_ros.config import ModelConfig
    from fcis_ros.model.weights_import.recognise import recognise

    out = Path(arguments.out)
    if out.suffix != ".safetensors":
        raise InputError(f"{out}: the name has to end with .safetensors")
    if not out.absolute().parent.is_dir():
        raise InputError(f"{out}: there is no folder {out.absolute().parent}")
    weights = recognise(arguments.file, ModelConfig.read(arguments.config) if arguments.config else None)
    if not weights.config:
        refuse(arguments, f"is of an FCIS network; {arguments.file} holds {weights.kind}", "config")
    tensors = dict(tqdm(weights.tensors, total=weights.count, unit="tensor", leave=False, disable=None))
    provenance = {"imported_from": Path(arguments.file).name, "kind": weights.kind, "sha256": sha256(arguments.file)}

    from fcis_ros.model import checkpoint  # imports PyTorch: a wrong file has been refused without it

    config = weights.config
    about = checkpoint.metadata(config, provenance) if config else {"format": "pt", **provenance}
    checkpoint.write(out, tensors, about)
    floats = sum(tensor.size for tensor in tensors.values())
    network = f"{len(config.class_names)} classes, {config.num_anchors} anchors" if config else "backbone"
    print(f"{weights.kind}: {network}, {floats / 1e6:.1f} M numbers -> {out}")
