# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The stream of training batches: batch i depends on the seed and i alone, so a resumed run sees what it would have seen."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from torch.utils.data import Dataset

from fcis_ros.errors import InputError
from fcis_ros.structures import Sample
from fcis_ros.training.augment import TrainItem, make_item, paste_objects
from fcis_ros.training.config import TrainConfig


def image_numbers(config: TrainConfig, step: int) -> range:
    """The numbers of a step's images; all that is drawn at random for an image follows from the seed and its number."""
    return range(step * config.batch, (step + 1) * config.batch)


class Batches(Dataset):
    """Indexed by step; each entry is a list of training items, this process's share of ``config.batch``, or the InputError that
    an image caused.

    The error is handed over because raised in a worker it would arrive with the worker's traceback for a message.

    Args:
        config: the run.
        photos: annotated images; may be empty if ``config.synthetic`` is 1.
        render: index -> a rendered scene; used for the ``config.synthetic`` fraction.
        rank: of this process among those that train together.
        count: of these processes.
    """

    def __init__(
        self,
        config: TrainConfig,
        photos: Sequence[Sample],
        render: Callable[[int], Sample],
        rank: int = 0,
        count: int = 1,
    ):
        self.config, self.photos, self.render, self.rank, self.count = config, photos, render, rank, count

    def __len__(self) -> int:
        return self.config.steps

    def __getitem__(self, step: int) -> list[TrainItem] | InputError:
        cv2.setNumThreads(0)  # one process of several
        try:
            return [self._item(number) for number in image_numbers(self.config, step)[self.rank :: self.count]]
        except InputError as error:
            return error

    def _item(self, index: int) -> TrainItem:
        config = self.config
        rng = np.random.default_rng((config.seed, index))
        if rng.random() < config.synthetic or not len(self.photos):
            sample = self.render(index)
        else:
            # A new permutation every epoch: every photo is seen equally often.
            epoch, place = divmod(index, len(self.photos))
            sample = self.photos[int(np.random.default_rng((config.seed, 7, epoch)).permutation(len(self.photos))[place])]
            if rng.random() < config.paste:
                sample = paste_objects(sample, self.photos[int(rng.integers(len(self.photos)))], rng)
        return make_item(sample, config.model, config.crop, config.scale_jitter, rng)
