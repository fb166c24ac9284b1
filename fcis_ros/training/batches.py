# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The stream of training batches: batch i depends on the seed and i alone, so that a resumed run gets the same."""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import lru_cache

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, get_worker_info

from fcis_ros.errors import InputError
from fcis_ros.structures import Sample
from fcis_ros.training.augment import TrainItem, make_item, paste_objects
from fcis_ros.training.train_config import TrainConfig

BLOCK = 64  # consecutive images, among which the rendered ones are spread at random


def image_numbers(config: TrainConfig, step: int) -> range:
    """Returns the numbers of a step's images; everything random about an image follows from the seed and its number."""
    return range(step * config.batch, (step + 1) * config.batch)


def photo_index(config: TrainConfig, number: int, photos: int) -> int | None:
    """Returns the index of the photo that an image is made from; None for a rendered image.

    Images that are not rendered take the photos epoch by epoch, each once in every epoch, in an order drawn anew for every
    epoch. So at any moment of a run the numbers of times that two photos were taken differ by one at most.

    Args:
        config: configuration of the run.
        number: number of the image, see ``image_numbers``.
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
    """Returns a random order of 0 to n - 1, where n is the last number of the key; the order follows from the whole key."""
    return np.random.default_rng(key).permutation(key[-1])


class Batches:
    """The batches of a run, indexed by step; each is a list of training items, this process's share of ``config.batch``.

    Args:
        config: configuration of the run.
        photos: annotated images; may be empty if ``config.synthetic`` is 1.
        render: function from an index to a rendered scene, for the ``config.synthetic`` fraction.
        rank: number of this process among those that train together.
        count: number of these processes.
    """

    def __init__(
        self, config: TrainConfig, photos: Sequence[Sample], render: Callable[[int], Sample], rank: int = 0, count: int = 1
    ):
        self.config, self.photos, self.render, self.rank, self.count = config, photos, render, rank, count

    def __getitem__(self, step: int) -> list[TrainItem]:
        """Returns the items of one step.

        Raises:
            InputError: an image cannot be read.
        """
        return [self._item(number) for number in image_numbers(self.config, step)[self.rank :: self.count]]

    def load(self, first: int, workers: int) -> Iterator[list[TrainItem]]:
        """Yields the batches from step ``first`` to the end of the run.

        Args:
            first: first step.
            workers: number of processes that make the batches; 0: this process makes them. The batches do not depend on it.

        Raises:
            InputError: an image cannot be read, or a batch does not fit into shared memory.
            RuntimeError: a process was killed (``is_lost_worker``); PyTorch raises it wherever this process is at that moment.
        """
        loader = DataLoader(
            _ErrorsAsItems(self),
            batch_size=None,
            sampler=range(first, self.config.steps),
            num_workers=workers,
            prefetch_factor=4 if workers else None,
            generator=torch.Generator(),  # else it would draw from the global one
        )
        for items in loader:
            if isinstance(items, InputError):
                raise items
            yield items

    def _item(self, number: int) -> TrainItem:
        config = self.config
        rng = np.random.default_rng((config.seed, number))
        photo = photo_index(config, number, len(self.photos))
        if photo is None:
            sample = self.render(number)
        else:
            sample = self.photos[photo]
            if rng.random() < config.paste:
                sample = paste_objects(sample, self.photos[int(rng.integers(len(self.photos)))], rng)
        return make_item(sample, config.model, config.crop, config.scale_jitter, rng)


def is_lost_worker(error: RuntimeError) -> bool:
    """Returns whether an error says that a process that makes batches was killed, for want of memory for instance."""
    return str(error).startswith("DataLoader worker")


class _ErrorsAsItems(Dataset):
    """Hands an InputError to the main process as an item: raised in a worker, its message would become a traceback.

    A worker puts its tensors into shared memory here. Left to the thread that sends them, a lack of shared memory would only be
    printed by it, and the main process would wait for ever.
    """

    def __init__(self, batches: Batches):
        self.batches = batches

    def __getitem__(self, step: int) -> list[TrainItem] | InputError:
        cv2.setNumThreads(0)  # one process of several
        try:
            items = self.batches[step]
        except InputError as error:
            return error
        if get_worker_info() is not None:
            try:
                for tensor in (value for item in items for value in vars(item).values()):
                    tensor.share_memory_()
            except (RuntimeError, OSError) as error:
                reason = str(error).splitlines()[0]
                advice = "enlarge /dev/shm, or take a smaller batch"
                return InputError(f"a batch does not fit into shared memory ({reason}); {advice}")
        return items
