# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Which image comes when; seed 0 throughout."""

import os
import resource
import signal

import numpy as np
import pytest

from fcis_ros.config import ModelConfig
from fcis_ros.errors import InputError
from fcis_ros.structures import Sample
from fcis_ros.training import batches
from fcis_ros.training.batches import Batches, is_lost_worker, photo_index
from fcis_ros.training.train_config import TrainConfig

MODEL = ModelConfig(class_names=("car",), backbone="resnet18", short_side=32, max_side=64)
NOTHING = np.zeros(0, np.int64)


def config(**changes) -> TrainConfig:
    values = {"steps": 100, "batch": 4, "crop": (32, 32), "paste": 0.0, "synthetic": 0.0}
    return TrainConfig(MODEL, **{**values, **changes})


def photo_order(settings: TrainConfig, images: int, photos: int) -> list[int]:
    indices = (photo_index(settings, number, photos) for number in range(images))
    return [photo for photo in indices if photo is not None]


@pytest.mark.parametrize("synthetic", [0.0, 0.25, 0.3, 0.97])
@pytest.mark.parametrize("photos", [1, 7, 101])
def test_photo_index_over_epochs_takes_every_photo_once_an_epoch(photos, synthetic):
    order = photo_order(config(synthetic=synthetic), int((5 * photos + 64) / (1 - synthetic)), photos)
    assert len(order) >= 5 * photos
    epochs = [order[first : first + photos] for first in range(0, len(order), photos)]
    for epoch in epochs[:5]:
        assert sorted(epoch) == list(range(photos))
    assert len(set(epochs[-1])) == len(epochs[-1])
    if photos == 101:
        assert len(set(map(tuple, epochs[:5]))) == 5  # each in a different order


@pytest.mark.parametrize("synthetic", [0.0, 0.25, 0.3, 0.97, 1.0])
def test_photo_index_has_the_configured_fraction_of_rendered_images(synthetic):
    images = 10_000
    assert len(photo_order(config(synthetic=synthetic), images, 367)) == pytest.approx((1 - synthetic) * images, abs=64)


def test_photo_index_half_rendered_is_spread_over_processes():
    """Were every other image rendered, the first of two processes would have all of them."""
    rendered = [photo_index(config(synthetic=0.5), number, 10) is None for number in range(6400)]
    assert sum(rendered[::2]) == pytest.approx(1600, abs=100)


def test_photo_index_depends_on_seed_and_not_on_steps():
    order = photo_order(config(synthetic=0.25), 500, 101)
    assert order == photo_order(config(synthetic=0.25, steps=7), 500, 101)
    assert order != photo_order(config(synthetic=0.25, seed=1), 500, 101)


class Photos(list):
    """Empty images that record which of them were read."""

    def __init__(self, count: int):
        super().__init__(range(count))
        self.asked = []

    def __getitem__(self, index: int) -> Sample:
        self.asked.append(index)
        return Sample(np.zeros((32, 40, 3), np.uint8), np.zeros((0, 32, 40), bool), NOTHING, NOTHING.astype(bool), str(index))


def seen(settings: TrainConfig, steps: range, photos: int, processes: int = 1) -> list[list[int]]:
    """The photos of each step, by ``processes`` together."""
    by_step = []
    for step in steps:
        of_step = Photos(photos)
        for rank in range(processes):
            items = Batches(settings, of_step, Photos(10**6).__getitem__, rank, processes)[step]
            assert len(items) == settings.batch // processes
        by_step.append(of_step.asked)
    return by_step


@pytest.mark.parametrize("step", [1, 6, 13])
def test_batches_resumed_at_any_step_equal_an_uninterrupted_run(step):
    """A new process knows nothing of the steps before."""
    settings = config(synthetic=0.25)
    straight = seen(settings, range(20), 13)
    batches._permutation.cache_clear()
    assert seen(settings, range(step, 20), 13) == straight[step:]


def test_batches_of_two_processes_equal_those_of_one():
    settings = config(synthetic=0.25)
    one, two = seen(settings, range(20), 13), seen(settings, range(20), 13, processes=2)
    assert [sorted(step) for step in one] == [sorted(step) for step in two]


@pytest.mark.parametrize("workers", [0, 1])
def test_load_of_an_unreadable_photo_raises_its_one_line_message(workers):
    class Unreadable(list):
        def __getitem__(self, index):
            raise InputError("a.png: no such image file")

    with pytest.raises(InputError, match=r"^a\.png: no such image file$"):
        next(Batches(config(), Unreadable([0]), None).load(0, workers))


def test_load_without_shared_memory_raises_in_one_line():
    """A limit of the worker's files stands for a full /dev/shm: the process that waits for the batch must not wait for ever."""

    class Limited(list):
        def __getitem__(self, index):
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
            return Sample(np.zeros((32, 32, 3), np.uint8), np.zeros((0, 32, 32), bool), NOTHING, NOTHING.astype(bool), "a.png")

    with pytest.raises(InputError, match=r"^a batch does not fit into shared memory \(.*; enlarge /dev/shm") as error:
        next(Batches(config(), Limited([0]), None).load(0, 1))
    assert "\n" not in str(error.value)


def test_load_of_a_killed_worker_raises_what_is_recognised():
    class Killing(list):
        def __getitem__(self, index):
            os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(RuntimeError) as error:
        next(Batches(config(), Killing([0]), None).load(0, 1))
    assert is_lost_worker(error.value) and not is_lost_worker(RuntimeError("CUDA out of memory"))
