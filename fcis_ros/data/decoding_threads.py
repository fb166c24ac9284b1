# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Looks at every image of a data set: in threads, as OpenCV decodes without Python's lock, and with a progress bar."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from tqdm import tqdm

MOST_THREADS = 16
Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(check: Callable[[Item], Result], images: Sequence[Item], title: str) -> Iterator[Result]:
    """Yields what a function returns for each image, in order.

    Args:
        check: function that reads an image.
        images: what the function takes for each image.
        title: title of the progress bar, which is not shown for a single image.
    """
    threads = ThreadPoolExecutor(min(MOST_THREADS, len(os.sched_getaffinity(0))))
    try:
        results = threads.map(check, images)
        yield from tqdm(results, title, len(images), unit="image", mininterval=0.5, disable=len(images) < 2)
    finally:
        threads.shutdown(cancel_futures=True)  # an interrupt waits for the images in work only
