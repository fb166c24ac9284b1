# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The lifecycle node: images in, instance masks out. This file puts the parts together.

A frame goes one way: subscription, queue, worker, sink. There are three threads: the executor's receives images and answers
services, the worker's computes and publishes, and lifecycle transitions run in a separate one.
"""

import sys
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import rclpy.logging
from ament_index_python.packages import get_package_share_directory
from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNodeMixin, LifecycleState, TransitionCallbackReturn

from fcis_ros.errors import InputError
from fcis_ros.omp import limit_spinning
from fcis_ros.ros import inference_worker, model_loading, node_diagnostics, params, qos, run_node, usage
from fcis_ros.ros.camera import OUTPUTS, Camera, CameraContext
from fcis_ros.ros.diagnostics import Status
from fcis_ros.ros.executor_waker import ExecutorWaker
from fcis_ros.ros.frame_queue import FrameQueue
from fcis_ros.ros.image_input import ImageInput
from fcis_ros.ros.parameter_node import ParameterNode
from fcis_ros.ros.segment_service import SegmentService
from fcis_ros.ros.transition_thread import TransitionThread

ANSWER_SECONDS = 0.5  # until the last answer has left the process: the middleware drops it with its sender
TOPICS = """
image, image/compressed  in: images (NAME/image with cameras)
~/masks                  out: instance masks of every processed frame (~/NAME/masks with cameras; likewise the others)
~/overlay                out: the frame with masks
~/labels, ~/labels_color out: instance numbers of all pixels, as numbers and in colours
~/timing                 out: milliseconds of every stage
/diagnostics             out: state, rates, outcomes of frames, once per second
~/segment                service: one image in, its masks out
"""
HANG_SECONDS = 10.0  # after which the device is said to hang if the frames in work have not ended
SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class FcisNode(LifecycleNodeMixin, ParameterNode):
    """A lifecycle node around one model; see docs/node.md for topics, parameters and behaviour.

    Attributes:
        ended: whether the process should end.
        exit_status: the status of the process when it ends.
    """

    def __init__(self) -> None:
        ParameterNode.__init__(self, "fcis_node")
        # A separate group: while one service waits for a transition, the others and everything else are answered.
        LifecycleNodeMixin.__init__(self, callback_group=ReentrantCallbackGroup())
        self.ended, self.exit_status = False, run_node.DONE
        self._settings = params.CurrentSettings(params.settings_of(self.declare(params.PARAMETERS)))
        self.add_on_set_parameters_callback(self._set_parameters)
        self._waker = ExecutorWaker(self, self._refresh_inputs)
        self._transitions = TransitionThread(self._waker, self.get_logger(), self._is_running)
        self._service_change_state.callback = self._transitions.service_callback(self._service_change_state.callback)
        names = params.cameras(self.get_parameter("cameras").value)
        self._queue = FrameQueue([*names, SegmentService.NAME])
        profile = f"{get_package_share_directory('fcis_ros')}/config/fastdds_large_images.xml"
        topics = {name: f"{name}/image" if name else "image" for name in names}
        self._inputs = {name: ImageInput(self, topics[name], partial(self._queue.put, name), profile) for name in names}
        context = CameraContext(
            self.get_fully_qualified_name(), self.get_clock(), self.get_logger(), self.context, self._settings,
            self.get_parameter("track").value,
        )  # fmt: skip
        self._cameras = [Camera(name, context) for name in names]
        self._segment = SegmentService(self, self._queue, self._settings, self._waker)
        self._outputs: list[Any] = []
        self._worker: inference_worker.InferenceWorker | None = None
        self._facts: dict[str, object] = {}
        self._progress = ""
        self._active = False
        self._diagnostics = node_diagnostics.NodeDiagnostics(self)
        # In steady time: the diagnostics go on while a simulation is paused.
        self.create_timer(node_diagnostics.PERIOD, self._tick, clock=Clock(clock_type=ClockType.STEADY_TIME))
        if self.get_parameter("autostart").value:
            self._transitions.start(self._autostart)

    # Life cycle, in the thread of transitions

    def _autostart(self) -> None:
        if self.trigger_configure() != SUCCESS or self.trigger_activate() != SUCCESS:
            self._end(run_node.UNUSABLE)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Loads the model, runs it once on an empty frame, creates the publishers."""
        self._announce("Configuring")
        try:
            self._load()
            return SUCCESS
        except model_loading.DeviceLostError as error:
            self._on_lost(str(error))
        except Exception as error:  # noqa: BLE001 (rclpy hides what a transition raises: no PyTorch, no memory, ...)
            if self._is_running():
                reason = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}".splitlines()[0]
                self.get_logger().error(f"cannot start: {reason}")
        finally:
            self._progress = ""
        self._release()  # what was made before the failure, above all GPU memory: configuring can be tried again
        return FAILURE

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Opens the queue and subscribes."""
        self._announce("Activating")
        return self._activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Drops the subscriptions and waits for the frames in work."""
        self._announce("Deactivating")
        if not self._close(HANG_SECONDS):
            self.get_logger().error(f"the frames in work have not ended within {HANG_SECONDS:.0f} s: the device hangs")
            self._activate(state)
            return FAILURE
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Frees the model and what it held."""
        self._announce("Cleaning up")
        return self._release()

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._announce("Shutting down")
        return self._release()

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._announce("Processing an error")
        return self._release()

    def _announce(self, transition: str) -> None:
        if self._is_running():
            self.get_logger().info(transition)

    def _load(self) -> None:
        value = {row.name: self.get_parameter(row.name).value for row in params.PARAMETERS}
        predictor, digest = model_loading.load(
            value["model"], value["device"], value["threads"], value["precision"], self._set_progress
        )
        params.check(self._settings.value, predictor.config.class_names)
        for camera in self._cameras:
            prefix = f"~/{camera.name}/" if camera.name else "~/"
            camera.publishers = {name: self._create_output(kind, prefix + name) for name, kind in OUTPUTS.items()}
        sinks = {**{camera.name: camera for camera in self._cameras}, SegmentService.NAME: self._segment}
        self._worker = inference_worker.InferenceWorker(
            predictor, self._queue, sinks, self._score_floor, value["max_batch"], self.get_logger().error, self._on_lost
        )
        self._facts = {"model": predictor.name, "checkpoint_sha256": digest}
        self._facts |= {"device": predictor.device, "precision": predictor.precision, "batch": self._worker.batch}
        self._facts |= {name: value[name] for name in ("frame_policy", "queue_size")}
        self._queue.open(SegmentService.NAME, 1)
        self.get_logger().info(f"model {predictor.name} on {predictor.device}: {', '.join(predictor.config.class_names)}")

    def _create_output(self, kind: type, topic: str) -> Any:
        publisher = self.create_lifecycle_publisher(kind, topic, qos.OUTPUT)
        self._outputs.append(publisher)
        return publisher

    def _set_progress(self, progress: str) -> None:
        """Publishes the step of loading at once: it may be shorter than the timer's period."""
        self._progress = progress
        self._diagnostics.publish([self._model_status()])

    def _activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        result = super().on_activate(state)
        every = self.get_parameter("frame_policy").value == "every"
        for camera in self._cameras:
            self._queue.open(camera.name, self.get_parameter("queue_size").value if every else 1)
        self._active = True
        self._waker.wake()
        return result

    def _close(self, timeout: float, requests: Sequence[str] = ()) -> bool:
        """Accepts no more frames of the cameras and of ``requests``; returns whether those in work have ended in time."""
        self._active = False
        self._waker.wake()
        return self._queue.close([*(camera.name for camera in self._cameras), *requests], timeout)

    def _close_all(self, timeout: float) -> bool:
        """Accepts no more frames and requests, and answers a request that is left; returns as ``_close`` does."""
        ended = self._close(timeout, [SegmentService.NAME])
        self._segment.dismiss()
        return ended

    def _release(self) -> TransitionCallbackReturn:
        """Frees the model, the worker and the publishers, as far as they exist."""
        ended = self._close_all(HANG_SECONDS)
        if self._worker is not None and not (ended and self._worker.stop(HANG_SECONDS)):
            self.get_logger().error("the model cannot be freed: the device hangs")
            return FAILURE
        self._worker, self._facts = None, {}
        while self._outputs:
            self.destroy_lifecycle_publisher(self._outputs.pop())
        model_loading.free()
        return SUCCESS

    # The end of the process

    def _is_running(self) -> bool:
        """Whether nothing has ended the node yet: errors of a transition after the end are ignored."""
        return self.context.ok() and not self.ended

    def _end(self, status: int) -> None:
        """Ends the process; the first status counts, and none after a signal, which may make a transition fail."""
        if self._is_running():
            self.exit_status, self.ended = status, True
            self._waker.wake()

    def _on_lost(self, reason: str) -> None:
        """Ends the process after the device has failed for good: only another process can use it again."""
        self.get_logger().fatal(f"the device has failed for good, ending with status {run_node.DEVICE_LOST}: {reason}")

        def leave() -> None:
            try:
                self.trigger_deactivate()
            finally:  # before Kilted rclpy raises if the node is not active
                self._end(run_node.DEVICE_LOST)

        if not self._transitions.start(leave):
            self._end(run_node.DEVICE_LOST)

    def finish(self) -> None:
        """Ends the worker while the publishers still exist, and logs the outcomes of all frames."""
        self._close_all(run_node.LAST_SECONDS)
        if self._worker is not None:
            self._worker.stop(run_node.LAST_SECONDS)
        if self._segment.waiting is not None:
            run_node.spin_until(self.executor, lambda: self._segment.waiting is None)
            time.sleep(ANSWER_SECONDS)
        # A separate logger: the node's would publish to /rosout, which is gone after a signal.
        logger = rclpy.logging.get_logger(f"{self.get_name()} account")
        for camera in self._cameras:
            logger.info(f"{camera.name + ': ' if camera.name else ''}{self._queue.counts(camera.name)}")

    # In the executor's thread

    def _set_parameters(self, parameters: list) -> SetParametersResult:
        try:
            settings = params.changed(self._settings.value, parameters)
            params.check(settings, self._worker.predictor.config.class_names if self._worker else None)
        except InputError as error:
            return SetParametersResult(successful=False, reason=str(error))
        self._settings.value = settings
        self._waker.wake()
        return SetParametersResult(successful=True)

    def _score_floor(self) -> float:
        """Returns the lowest score needed downstream: tracks also continue with instances below the score threshold."""
        return self._settings.value.score_threshold * (0.5 if self.get_parameter("track").value else 1.0)

    def _refresh_inputs(self) -> None:
        settings = self._settings.value
        for image_input in self._inputs.values():
            image_input.refresh(self._active and settings.enable, settings.silence_s)

    def _tick(self) -> None:
        self._refresh_inputs()
        state = "disabled" if self._active and not self._settings.value.enable else self._state_label
        self._diagnostics.count_ignored_rois(self._worker.ignored_rois if self._worker is not None else 0)
        statuses = [
            camera.status(state, self._queue.counts(camera.name), self._inputs[camera.name]) for camera in self._cameras
        ]
        self._diagnostics.publish([*statuses, self._model_status()])

    @property
    def _state_label(self) -> str:
        return self._state_machine.current_state[1]

    def _model_status(self) -> Status:
        requests = self._queue.counts(SegmentService.NAME).received
        return self._diagnostics.model_status(self._state_label, self._progress, self._worker, self._facts, requests)


def main() -> int:
    """Runs the node until it is interrupted.

    Returns:
        0 after an interrupt or ``--help``, 2 if a parameter or the model cannot be used, 3 if the device has failed for good.
    """
    if usage.asked(sys.argv):
        print(usage.usage("fcis_node", "Images in, instance masks out: a lifecycle node.", TOPICS, params.PARAMETERS))
        return run_node.DONE
    limit_spinning()

    def spin(executor: Any, node: FcisNode) -> None:
        while not node.ended:
            run_node.spin_once(executor)

    return run_node.run("fcis_node", FcisNode, spin)
