# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Fixtures of recordings."""

from recordings import annotations, bag, bags, evaluation, scenes  # noqa: F401 (fixtures)
