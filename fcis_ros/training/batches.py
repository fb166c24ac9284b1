# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The stream of training batches: batch i depends on the seed and i alone, so a resumed run sees what it would have seen."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import lru_cache

import cv2
import numpy as np
from torch.utils.data import Dataset

from fcis_ros.errors import InputError
from fcis_ros.structures import Sample
from fcis_ros.training.augment import TrainItem, make_item, paste_objects
from fcis_ros.training.train_config import TrainConfig

BLOCK = 64  # consecutive images, among which the rendered ones are spread at random


def image_numbers(config: TrainConfig, step: int) -> range:
    """The numbers of a step's images; all that is drawn at random for an image follows from the seed and its number."""
    return range(step * config.batch, (step + 1) * config.batch)


def photo_index(config: TrainConfig, number: int, photos: int) -> int | None:
    """The photo that an image is made of, or None for a rendered one.

    Images that are not rendered take the photos epoch by epoch, each once in every epoch, in an order drawn anew for every
    epoch. So at any moment of a run the numbers of times that two photos were taken differ by one at most.

    Args:
        config: the run.
        number: the image's number, see ``image_numbers``.
        photos: number of photos.
    """
    if not photos:
        return None
    block, position = divmod(number, BLOCK)
    share = BLOCK * (1 - Fraction(config.synthetic))  # of photos in a block, exact
    before = int(block * share)  # photos taken in earlier blocks
    taken = _permutation(config.seed, 8, block, BLOCK) < int((block + 1) * share) - before
    if not taken[position]:
        return None
    epoch, turn = divmod(before + int(taken[:position].sum()), photos)
    return int(_permutation(config.seed, 7, epoch, photos)[turn])


@lru_cache(maxsize=8)
def _permutation(*key: int) -> np.ndarray:
    """A random order of 0 to n - 1, where n is the last of the numbers that it follows from."""
    return np.random.default_rng(key).permutation(key[-1])


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
        photo = photo_index(config, index, len(self.photos))
        if photo is None:
            sample = self.render(index)
        else:
            sample = self.photos[photo]
            if rng.random() < config.paste:
                sample = paste_objects(sample, self.photos[int(rng.integers(len(self.photos)))], rng)
        return make_item(sample, config.model, config.crop, config.scale_jitter, rng)
