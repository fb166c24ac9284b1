"""Starting under bad conditions: interrupted half-way, or without what the node needs."""

import os
import signal

import pytest

pytestmark = pytest.mark.ros


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("executable", ["fcis_node", "camera_source"])
def test_a_signal_while_starting_is_a_clean_end(graph, start, tiny_checkpoint, wait_for, executable, number):
    """A node is on the graph seconds before PyTorch is imported and the model loaded; an interrupt there is no failure."""
    process = start(executable, {"model": tiny_checkpoint} if executable == "fcis_node" else {})
    wait_for(lambda: executable in graph.get_node_names(), executable)
    assert process.interrupt(number) == 0, process.output
    assert "Traceback" not in process.output and "cannot start" not in process.output


def test_threads_do_not_spin(start, tiny_checkpoint, wait_for, monkeypatch):
    """OpenMP says what it was told when PyTorch loads it; the node has told it before."""
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    monkeypatch.setenv("OMP_DISPLAY_ENV", "VERBOSE")
    process = start("fcis_node", {"model": tiny_checkpoint})
    wait_for(lambda: "GOMP_SPINCOUNT = '1000'" in process.output, "the settings of OpenMP")
    assert process.interrupt() == 0


def test_missing_pytorch_is_named(graph, start, tmp_path, monkeypatch):
    """rclpy swallows exceptions of lifecycle transitions; this one must be heard."""
    (tmp_path / "torch.py").write_text("raise ImportError('No module named torch')\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    process = start("fcis_node")
    assert process.wait() == 2
    assert process.output.strip().count("\n") == 0 and "cannot start: ImportError: No module named torch" in process.output
