# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""A request to ~/segment that has been accepted is answered, whatever becomes of the node."""

import signal
from types import SimpleNamespace

import pytest

pytestmark = pytest.mark.ros


@pytest.fixture
def service():
    """A service without a node, and the queue in which its requests wait."""
    from rclpy.task import Future

    from fcis_ros.ros.frame_queue import FrameQueue
    from fcis_ros.ros.segment_service import SegmentService

    node = SimpleNamespace(create_service=lambda *_, **__: None)
    waker = SimpleNamespace(future=Future, resolve=lambda future, result: future.set_result(result))
    queue = FrameQueue([SegmentService.NAME])
    queue.start()
    queue.open(SegmentService.NAME, 1)
    return SegmentService(node, queue, None, waker), queue


def requested(service):
    """A request that waits, as the executor runs it."""
    from fcis_ros.srv import Segment

    running = service._serve(Segment.Request(), Segment.Response())
    assert running.send(None) is None
    return running


def answer_of(running):
    with pytest.raises(StopIteration) as end:
        running.send(None)
    return end.value.value


def test_dismiss_waiting_request_gets_an_unsuccessful_answer(service):
    segment, queue = service
    running = requested(segment)
    assert queue.close([segment.NAME], 0) and queue.counts(segment.NAME).overwritten == 1
    segment.dismiss()
    answer = answer_of(running)
    assert not answer.success and "stopped serving" in answer.message
    assert segment.waiting is None


def test_dismiss_request_in_work_is_answered_once(service):
    """A device that hangs may go on later; its late answer harms nothing."""
    segment, queue = service
    running = requested(segment)
    (frame,) = queue.take(1)
    assert not queue.close([segment.NAME], 0)
    segment.dismiss()
    segment.refuse(frame, "too late")
    queue.settle(frame, "failed")
    assert not answer_of(running).success
    segment.dismiss()  # there is nothing left


def test_dismiss_request_that_is_answered_keeps_its_answer(service):
    segment, queue = service
    running = requested(segment)
    (frame,) = queue.take(1)
    segment.refuse(frame, "step 1 is too small")
    segment.dismiss()
    assert answer_of(running).message == "step 1 is too small"


# While the file is missing the network does not end with a frame, unless a request has been dropped.
GATED = """
import os
import sys
import time
from pathlib import Path
from fcis_ros.model.predictor import Predictor
from fcis_ros.ros import fcis_node, run_node

run_node.obey_signals()
run_node.LAST_SECONDS = 100.0
fcis_node.HANG_SECONDS = 1.0
predict, inboxes = Predictor.predict, []

class FrameQueue(fcis_node.FrameQueue):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        inboxes.append(self)

def wait_and_predict(*arguments):
    while not Path(os.environ["GO_ON"]).exists() and not inboxes[0].counts("~/segment").overwritten:
        time.sleep(0.01)
    return predict(*arguments)

fcis_node.FrameQueue, Predictor.predict = FrameQueue, wait_and_predict
sys.exit(fcis_node.main())
"""


@pytest.fixture
def gate(tmp_path, monkeypatch):
    """The file; it is there while the node computes for the first time."""
    monkeypatch.setenv("GO_ON", str(tmp_path / "go_on"))
    (tmp_path / "go_on").touch()
    return tmp_path / "go_on"


@pytest.fixture
def ask(client, wait_for):
    """Sends a request; returns its future."""
    from fcis_ros.srv import Segment

    service = client.node.create_client(Segment, "fcis_node/segment")

    def send():
        wait_for(service.service_is_ready, "the service")
        return service.call_async(Segment.Request(image=client.image()))

    return send


@pytest.mark.parametrize("end", ["signal", "shutdown"])
def test_waiting_request_is_answered_when_the_node_ends(client, serve, wait_for, gate, ask, end):
    """A frame of the camera is in work, a request waits behind it."""
    from lifecycle_msgs.msg import Transition

    process = serve(GATED)
    gate.unlink()
    client.send()
    wait_for(lambda: client.count("waiting") == 1, "the frame in work")
    future = ask()
    wait_for(lambda: client.value("segment_requests", "model") == "1", "the request")
    if end == "signal":
        process.send_signal(signal.SIGTERM)
    else:
        client.change_state(Transition.TRANSITION_ACTIVE_SHUTDOWN)
    wait_for(future.done, "the answer")
    assert not future.result().success and "stopped serving" in future.result().message
    assert process.interrupt() == 0, process.output


def test_request_in_work_is_answered_at_cleanup_and_the_next_one_after_configure(
    client, start, tiny_checkpoint, wait_for, gate, ask
):
    from lifecycle_msgs.msg import Transition

    process = start(GATED, {"model": tiny_checkpoint, "autostart": False})
    assert client.change_state(Transition.TRANSITION_CONFIGURE)
    gate.unlink()
    future = ask()
    wait_for(lambda: client.value("segment_requests", "model") == "1", "the request")
    assert not client.change_state(Transition.TRANSITION_CLEANUP)  # the device hangs
    wait_for(future.done, "the answer")
    assert not future.result().success and "stopped serving" in future.result().message
    gate.touch()
    wait_for(lambda: client.change_state(Transition.TRANSITION_CLEANUP), "the cleanup")
    assert client.change_state(Transition.TRANSITION_CONFIGURE)
    future = ask()
    wait_for(future.done, "the answer")
    assert future.result().success
    assert process.interrupt() == 0, process.output
