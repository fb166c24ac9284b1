# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The life cycle from outside: transitions, a device that fails, and signals at any moment."""

import signal

import numpy as np
import pytest

pytestmark = pytest.mark.ros


# Reading the checkpoint ends when the test says so, the process not before it.
SLOW_LOADING = """
import os
import sys
import time
from pathlib import Path
from fcis_ros.model import exported
from fcis_ros.ros import fcis_node, run_node

run_node.obey_signals()
run_node.LAST_SECONDS = 100.0
load_predictor = exported.load_predictor

def wait_and_load(*arguments):
    while not Path(os.environ["GO_ON"]).exists():
        time.sleep(0.01)
    return load_predictor(*arguments)

exported.load_predictor = wait_and_load
sys.exit(fcis_node.main())
"""


def test_lifecycle_manual_transitions_answer_meanwhile(client, start, tiny_checkpoint, wait_for, tmp_path, monkeypatch):
    from lifecycle_msgs.msg import Transition
    from lifecycle_msgs.srv import ChangeState

    monkeypatch.setenv("GO_ON", str(tmp_path / "go_on"))
    process = start(SLOW_LOADING, {"model": tiny_checkpoint, "autostart": False})
    assert client.state() == "unconfigured" and not client.connected()
    change = client.node.create_client(ChangeState, "fcis_node/change_state")
    wait_for(change.service_is_ready, "the service")
    wait_for(lambda: client.value("state", "model") == "unconfigured", "the diagnostics")
    configure = change.call_async(ChangeState.Request(transition=Transition(id=Transition.TRANSITION_CONFIGURE)))
    # Everything answers meanwhile; which of two services does first is not said.
    wait_for(lambda: client.state() == "configuring", "the transition")
    assert client.set_parameters(max_instances=7)[0].successful
    assert not client.change_state(Transition.TRANSITION_ACTIVATE)
    wait_for(lambda: client.progress[-1:] == ["2/3 reading the checkpoint"], "the progress")
    assert not configure.done()
    (tmp_path / "go_on").touch()
    wait_for(configure.done, "the configuration")
    wait_for(lambda: len(client.progress) == 3, "the progress")
    assert [step[:3] for step in client.progress] == ["1/3", "2/3", "3/3"]
    assert configure.result().success and client.state() == "inactive"
    assert "another one is in progress" in process.output
    for again in (False, True):  # everything can be done again
        if again:
            assert client.change_state(Transition.TRANSITION_CONFIGURE)
        assert not client.connected()
        assert client.change_state(Transition.TRANSITION_ACTIVATE)
        wait_for(client.connected, "the subscription")
        before = len(client.masks[""])
        client.send()
        wait_for(lambda before=before: len(client.masks[""]) > before, "an answer")
        assert client.change_state(Transition.TRANSITION_DEACTIVATE)
        wait_for(lambda: client.publisher().get_subscription_count() == 0, "the end of the subscription")
        assert client.change_state(Transition.TRANSITION_CLEANUP)
        wait_for(lambda: client.node.count_publishers("fcis_node/masks") == 0, "the end of the publishers")
    assert not client.change_state(Transition.TRANSITION_ACTIVATE)  # there is nothing to activate
    assert client.state() == "unconfigured"
    assert process.interrupt() == 0
    assert process.account[""]["processed"] == 2
    transitions = ["Configuring", "Activating", "Deactivating", "Cleaning up"]
    lines = (line.rpartition("]: ")[2] for line in process.output.splitlines() if "[INFO]" in line)
    assert [line for line in lines if line in transitions] == 2 * transitions


# A CUDA context is simulated: it has no memory for a frame whose first pixel is 1, and is gone for good with one of 2; likewise
# for the first images of all, which the node computes by itself, as often as it is told to.
FAILING_DEVICE = """
import os
import sys
from fcis_ros.model.predictor import Predictor
from fcis_ros.ros import fcis_node, model_loading, run_node

run_node.obey_signals()
predict, broken = Predictor.predict, []
first = os.environ.get("FIRST", "").split()

def failing(self, images, *rest):
    trouble = first.pop(0) if first else {1: "memory", 2: "lost"}.get(images[0][0, 0, 0])
    if trouble == "memory":
        raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB\\nand more")
    if trouble == "lost":
        broken.append("CUDA error: an illegal memory access was encountered")
        raise RuntimeError(broken[0])
    return predict(self, images, *rest)

Predictor.predict = failing
model_loading.device_failure = lambda device: broken[0] if broken else ""
sys.exit(fcis_node.main())
"""


def test_lifecycle_no_memory_fails_frame_and_lost_device_ends_node(client, serve, wait_for, picture):
    from lifecycle_msgs.msg import TransitionEvent

    events = []
    client.node.create_subscription(TransitionEvent, "fcis_node/transition_event", events.append, 10)
    process = serve(FAILING_DEVICE)
    no_memory, gone = np.full_like(picture, 1), np.full_like(picture, 2)
    client.send(no_memory)
    wait_for(lambda: client.count("failed") == 1, "the failed frame")
    assert client.status["camera"][:2] == (2, client.status["camera"][1]) and "1 frames failed" in client.status["camera"][1]
    good = client.send()
    wait_for(lambda: client.masks[""], "the next frame's answer")
    assert client.masks[""][0].header == good.header
    client.send(gone)
    assert process.wait() == 3
    assert "failed for good, ending with status 3: CUDA error: an illegal memory access" in process.output
    assert [event.goal_state.label for event in events][-2:] == ["deactivating", "inactive"]
    assert process.account[""]["failed"] == 2 and process.account[""]["processed"] == 1


# Neither does the worker's thread start the first time.
FAILING_WORKER = FAILING_DEVICE.replace(
    "sys.exit",
    """
class FailingWorker(fcis_node.inference_worker.InferenceWorker):
    failures = 1

    def __init__(self, *arguments):
        if FailingWorker.failures:
            FailingWorker.failures -= 1
            raise RuntimeError("can't start new thread")
        super().__init__(*arguments)

fcis_node.inference_worker.InferenceWorker = FailingWorker
sys.exit""",
)


def test_lifecycle_configure_after_failures_has_everything_once(
    client, start, tiny_checkpoint, wait_for, tmp_path, monkeypatch
):
    """A configuration that fails leaves nothing behind, however far it came."""
    from lifecycle_msgs.msg import Transition

    def outputs() -> int:
        names = ("front/masks", "front/overlay", "front/labels", "front/labels_color", "front/timing", "rear/masks")
        return sum(client.node.count_publishers(f"fcis_node/{name}") for name in names)

    monkeypatch.setenv("FIRST", "memory memory fine fine")
    model = tmp_path / "model.safetensors"
    model.write_bytes(b"no model")
    process = start(FAILING_WORKER, {"model": model, "autostart": False, "cameras": "[front, rear]"})
    no_memory = "cannot start: RuntimeError: CUDA out of memory. Tried to allocate 2.00 GiB\n"
    reasons = ("not a readable safetensors file", no_memory, no_memory, "cannot start: RuntimeError: can't start new thread")
    for tries, reason in enumerate(reasons):
        assert not client.change_state(Transition.TRANSITION_CONFIGURE) and client.state() == "unconfigured"
        assert process.output.count(reason) == reasons[: tries + 1].count(reason)
        model.write_bytes(tiny_checkpoint.read_bytes())
    wait_for(lambda: outputs() == 0, "the end of the publishers")
    assert client.change_state(Transition.TRANSITION_CONFIGURE) and client.change_state(Transition.TRANSITION_ACTIVATE)
    wait_for(lambda: outputs() == 6, "one publisher of each topic")
    client.watch("front")
    wait_for(lambda: client.connected("front/image", "fcis_node/front/masks"), "the node")
    good = client.send(topic="front/image")
    wait_for(lambda: client.masks["front"], "an answer")
    assert client.masks["front"][0].header == good.header
    assert client.change_state(Transition.TRANSITION_DEACTIVATE) and client.change_state(Transition.TRANSITION_CLEANUP)
    wait_for(lambda: outputs() == 0, "the end of the publishers")
    assert process.interrupt() == 0, process.output


@pytest.mark.parametrize(("trouble", "status", "line"), [
    ("memory", 2, "cannot start: RuntimeError: CUDA out of memory"),
    ("lost", 3, "failed for good, ending with status 3: CUDA error: an illegal memory access"),
])  # fmt: skip
def test_lifecycle_device_failure_at_start_ends_node(graph, start, tiny_checkpoint, monkeypatch, trouble, status, line):
    monkeypatch.setenv("FIRST", trouble)
    process = start(FAILING_DEVICE, {"model": tiny_checkpoint})
    assert process.wait() == status and process.output.count(line) == 1


@pytest.mark.parametrize(("autostart", "number"), [(True, signal.SIGINT), (False, signal.SIGTERM)])
def test_lifecycle_signal_in_transition_ends_silently(
    client, start, tiny_checkpoint, wait_for, tmp_path, monkeypatch, autostart, number
):
    """The thread of the transition goes on when the context and the node are gone, and finds neither."""
    from lifecycle_msgs.msg import Transition
    from lifecycle_msgs.srv import ChangeState

    monkeypatch.setenv("GO_ON", str(tmp_path / "go_on"))
    process = start(SLOW_LOADING, {"model": tiny_checkpoint, "autostart": autostart})
    if not autostart:
        change = client.node.create_client(ChangeState, "fcis_node/change_state")
        wait_for(change.service_is_ready, "the service")
        change.call_async(ChangeState.Request(transition=Transition(id=Transition.TRANSITION_CONFIGURE)))
    wait_for(lambda: client.progress[-1:] == ["2/3 reading the checkpoint"], "the progress")
    process.send_signal(number)
    wait_for(lambda: process.account, "the end of the node")
    (tmp_path / "go_on").touch()
    assert process.wait() == 0
    for word in ("Traceback", "refused", "cannot start", "Error"):
        assert word not in process.output, process.output


def test_lifecycle_lost_device_ends_inactive_node(client, start, tiny_checkpoint, wait_for, picture):
    """A request may meet it; what is not active cannot be deactivated first."""
    from lifecycle_msgs.msg import Transition

    from fcis_ros.srv import Segment

    process = start(FAILING_DEVICE, {"model": tiny_checkpoint, "autostart": False})
    assert client.change_state(Transition.TRANSITION_CONFIGURE)
    request = client.node.create_client(Segment, "fcis_node/segment")
    wait_for(request.service_is_ready, "the service")
    request.call_async(Segment.Request(image=client.image(np.full_like(picture, 2))))
    assert process.wait() == 3


# Leaving the active state goes on when the test says so, the process ends not before it.
SLOW_END = FAILING_DEVICE.replace(
    "sys.exit",
    """
import time
from pathlib import Path

run_node.LAST_SECONDS = 100.0
deactivate = fcis_node.FcisNode.on_deactivate

def wait_and_deactivate(self, state):
    while not Path(os.environ["GO_ON"]).exists():
        time.sleep(0.01)
    return deactivate(self, state)

fcis_node.FcisNode.on_deactivate = wait_and_deactivate
sys.exit""",
)


def test_lifecycle_signal_after_lost_device_ends_silently(client, serve, wait_for, picture, tmp_path, monkeypatch):
    monkeypatch.setenv("GO_ON", str(tmp_path / "go_on"))
    process = serve(SLOW_END)
    client.send(np.full_like(picture, 2))
    wait_for(lambda: client.value("state", "model") == "deactivating", "the transition")
    process.send_signal(signal.SIGINT)
    wait_for(lambda: process.account, "the end of the node")
    (tmp_path / "go_on").touch()
    assert process.wait() == 0 and "Traceback" not in process.output
