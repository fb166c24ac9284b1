# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""How PyTorch's threads wait for each other on the CPU."""

import os


def limit_spinning() -> None:
    """Lets waiting threads sleep after microseconds; a process that owns itself calls this before PyTorch is imported.

    GNU OpenMP's own choice is to spin for milliseconds. While another process has one of the cores, the threads then wait for
    one that is not running, at full speed, and a frame takes six times as long (docs/performance.md). Whoever has chosen in the
    environment keeps the choice.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")
