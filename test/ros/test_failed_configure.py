# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""A configuration that fails leaves nothing behind, however far it came."""

import numpy as np
import pytest

pytestmark = pytest.mark.ros

IMAGE = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)

# The worker's thread cannot be started the first time.
NO_THREAD = """
import sys
from fcis_ros.ros import fcis_node, inference_worker, run_node

run_node.obey_signals()

class FailingWorker(inference_worker.InferenceWorker):
    failures = 1

    def __init__(self, *arguments):
        if FailingWorker.failures:
            FailingWorker.failures -= 1
            raise RuntimeError("can't start new thread")
        super().__init__(*arguments)

inference_worker.InferenceWorker = FailingWorker
sys.exit(fcis_node.main())
"""


def test_configure_after_failures_has_everything_once(client, start, tiny_checkpoint, wait_for, tmp_path):
    from lifecycle_msgs.msg import Transition

    def outputs() -> int:
        names = ("front/masks", "front/overlay", "front/labels", "front/labels_color", "front/timing", "rear/masks")
        return sum(client.node.count_publishers(f"fcis_node/{name}") for name in names)

    model = tmp_path / "model.safetensors"
    model.write_bytes(b"no model")
    (tmp_path / "no_thread.py").write_text(NO_THREAD)
    process = start(tmp_path / "no_thread.py", {"model": model, "autostart": False, "cameras": "[front, rear]"})
    assert not client.change_state(Transition.TRANSITION_CONFIGURE)
    model.write_bytes(tiny_checkpoint.read_bytes())
    assert not client.change_state(Transition.TRANSITION_CONFIGURE)
    assert "cannot start: RuntimeError: can't start new thread" in process.output
    wait_for(lambda: outputs() == 0, "the end of the publishers")
    assert client.change_state(Transition.TRANSITION_CONFIGURE) and client.change_state(Transition.TRANSITION_ACTIVATE)
    wait_for(lambda: outputs() == 6, "one publisher of each topic")
    client.watch("front")
    wait_for(lambda: client.connected("front/image", "fcis_node/front/masks"), "the node")
    client.send(IMAGE, "front/image")
    wait_for(lambda: client.masks["front"], "an answer")
    assert client.change_state(Transition.TRANSITION_DEACTIVATE) and client.change_state(Transition.TRANSITION_CLEANUP)
    wait_for(lambda: outputs() == 0, "the end of the publishers")
    assert process.interrupt() == 0, process.output
