# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Waiting of OpenMP threads, which PyTorch computes with on the CPU."""

import os


def limit_spinning() -> None:
    """Lets waiting threads sleep after microseconds; a main program calls this before it imports PyTorch.

    GNU OpenMP spins for milliseconds by default. While another process uses one of the cores, the threads then wait at full
    speed for a thread that is not running, and a frame takes six times as long (docs/performance.md). A choice in the
    environment is respected.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")
