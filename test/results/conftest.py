# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Fixtures of recordings, and of the folder of an evaluation."""

import shutil

import pytest
from recordings import annotations, bag, bags, evaluation, scenes  # noqa: F401 (fixtures)


@pytest.fixture
def folder(evaluation, tmp_path):  # noqa: F811
    """The folder of an evaluation of twelve frames, eight of them annotated, to change."""
    return shutil.copytree(evaluation / "out", tmp_path / "out")
