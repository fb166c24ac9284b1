# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Starting under bad conditions: without what the node needs."""

import os

import pytest

pytestmark = pytest.mark.ros


def test_node_openmp_threads_do_not_spin(start, tiny_checkpoint, wait_for, monkeypatch):
    """OpenMP says what it was told when PyTorch loads it; the node has told it before."""
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    monkeypatch.setenv("OMP_DISPLAY_ENV", "VERBOSE")
    process = start("fcis_node", {"model": tiny_checkpoint}, new_interpreter=True)
    wait_for(lambda: "GOMP_SPINCOUNT = '1000'" in process.output, "the settings of OpenMP")
    assert process.interrupt() == 0


def test_node_without_pytorch_names_it(graph, start, tmp_path, monkeypatch):
    """rclpy swallows exceptions of lifecycle transitions; this one must be heard."""
    (tmp_path / "torch.py").write_text("raise ImportError('No module named torch')\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    process = start("fcis_node", new_interpreter=True)
    assert process.wait() == 2
    assert process.output.count("cannot start") == 1 and "cannot start: ImportError: No module named torch" in process.output
