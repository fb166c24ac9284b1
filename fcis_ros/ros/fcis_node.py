# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The node: images in, instance masks out. This file puts the parts together.

Three threads: the executor's receives images and answers services; the worker's (``engine``) computes and publishes; life-cycle
transitions, which may take seconds, run in one of their own.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import rclpy.logging
from ament_index_python.packages import get_package_share_directory
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNodeMixin, LifecycleState, TransitionCallbackReturn
from rclpy.node import Node
from rclpy.task import Future

from fcis_ros.errors import InputError
from fcis_ros.omp import limit_spinning
from fcis_ros.ros import diagnostics, inference_worker, params, run_node
from fcis_ros.ros.camera import Camera
from fcis_ros.ros.frame_queue import FrameQueue
from fcis_ros.ros.segment_service import SegmentService

PERIOD = 1.0  # of diagnostics and of the look at the publishers
HANG_SECONDS = 10.0  # for the frames in work, before the device is said to hang
SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class FcisNode(LifecycleNodeMixin, Node):
    """A lifecycle node around one model; see docs/node.md for topics, parameters and behaviour.

    Attributes:
        settings: the run-time parameters at this moment.
        model: name of the model, empty without one.
        ended: whether the node wants the process to end.
        exit_status: of the process, when it ends.
    """

    def __init__(self) -> None:
        Node.__init__(self, "fcis_node")
        # Their own group: while one of them waits for a transition, the others and everything else are answered.
        LifecycleNodeMixin.__init__(self, callback_group=ReentrantCallbackGroup())
        self._service_change_state.callback = self._off_the_executor(self._service_change_state.callback)
        self.ended, self.exit_status = False, run_node.DONE
        self.settings = params.declare(self)
        self.model = ""
        self.add_on_set_parameters_callback(self._set_parameters)
        names = params.cameras(self.get_parameter("cameras").value)
        profile = f"{get_package_share_directory('fcis_ros')}/config/fastdds_large_images.xml"
        self._inbox = FrameQueue([*names, SegmentService.NAME])
        self._cameras = [Camera(self, name, self._inbox, profile) for name in names]
        self._segment = SegmentService(self, self._inbox)
        self._engine: inference_worker.InferenceWorker | None = None
        self._facts: dict[str, object] = {}
        self._progress = ""
        self._ignored: deque[int] = deque([0], maxlen=int(diagnostics.WINDOW / PERIOD))
        self._active = False
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._wake = self.create_guard_condition(self._refresh_inputs)
        # Of steady time: a paused simulation is no reason for silence.
        self.create_timer(PERIOD, self._tick, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._transition: threading.Thread | None = None
        if self.get_parameter("autostart").value:
            self._begin(self._autostart)

    # Transitions, in a thread

    def _begin(self, work: Callable[[], None]) -> bool:
        """Starts a thread for transitions, unless one is under way."""
        if self._transition is not None and self._transition.is_alive():
            return False

        def run() -> None:
            try:
                work()
            except Exception:
                if self._alive():  # else rclpy finds neither the publisher of its transitions nor the context any more
                    raise

        self._transition = threading.Thread(target=run, name="fcis_transition", daemon=True)
        self._transition.start()
        return True

    def _off_the_executor(self, change_state: Callable) -> Callable:
        """The service callback of rclpy, which blocks, as one that waits without blocking."""

        async def answer(request: Any, response: Any) -> Any:
            future = Future(executor=self.executor)

            def change() -> None:
                try:
                    change_state(request, response)
                except Exception as error:  # noqa: BLE001 (rclpy before Kilted: there is no such transition)
                    if self._alive():
                        self.get_logger().error(f"transition refused: {error}")
                self.resolve(future, response)

            if not self._begin(change):
                self.get_logger().error("transition refused: another one is under way")
                return response
            return await future

        return answer

    def resolve(self, future: Future, result: Any) -> None:
        """Ends the wait of a service callback, from any thread."""
        future.set_result(result)
        self._nudge()

    def _nudge(self) -> None:
        """Makes the executor look at what has changed, from any thread."""
        if self.context.ok():
            self._wake.trigger()

    def _alive(self) -> bool:
        """Whether nothing has ended the node yet: afterwards what a transition raises is no error."""
        return self.context.ok() and not self.ended

    def _autostart(self) -> None:
        if self.trigger_configure() != SUCCESS or self.trigger_activate() != SUCCESS:
            self._end(run_node.UNUSABLE)

    def _end(self, status: int) -> None:
        """Ends the process, for the first reason there is; after a signal, which made a transition fail, that is no error."""
        if self._alive():
            self.exit_status, self.ended = status, True
            self._nudge()

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Loads the model, runs it once on an empty frame, creates the publishers."""
        try:
            self._load()
            return SUCCESS
        except inference_worker.DeviceLostError as error:
            self._lost(str(error))
        except Exception as error:  # noqa: BLE001 (rclpy swallows what a transition raises: no PyTorch, no memory, ...)
            if self._alive():
                reason = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}".splitlines()[0]
                self.get_logger().error(f"cannot start: {reason}")
        finally:
            self._progress = ""
        self._release()  # what was made by then, memory of a GPU above all: it can be tried again
        return FAILURE

    def _load(self) -> None:
        value = {row.name: self.get_parameter(row.name).value for row in params.PARAMETERS}
        predictor, digest = inference_worker.load(
            value["model"], value["device"], value["threads"], value["precision"], self._set_progress
        )
        params.check(self.settings, predictor.config.class_names)
        self.model = predictor.name
        for camera in self._cameras:
            camera.create_publishers()
        outlets = {camera.name: camera for camera in self._cameras} | {SegmentService.NAME: self._segment}
        self._engine = inference_worker.InferenceWorker(
            predictor,
            self._inbox,
            outlets,
            self._score_floor,
            value["max_batch"],
            self.get_logger().error,
            self._lost,
        )
        self._facts = {"model": predictor.name, "checkpoint_sha256": digest}
        self._facts |= {"device": predictor.device, "precision": predictor.precision, "batch": self._engine.batch}
        self._inbox.open(SegmentService.NAME, 1)
        self.get_logger().info(f"model {predictor.name} on {predictor.device}: {', '.join(predictor.config.class_names)}")

    def _score_floor(self) -> float:
        """Least score that anybody wants to see; tracks also go on with weaker instances."""
        return self.settings.score_threshold * (0.5 if self.get_parameter("track").value else 1.0)

    def _set_progress(self, progress: str) -> None:
        """Says at once how far loading is: a step may be shorter than the timer's period."""
        self._progress = progress
        self._say([self._model_status(self._state_machine.current_state[1])])

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Opens the inbox and subscribes."""
        result = super().on_activate(state)
        every = self.get_parameter("frame_policy").value == "every"
        for camera in self._cameras:
            self._inbox.open(camera.name, self.get_parameter("queue_size").value if every else 1)
        self._active = True
        self._nudge()
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Drops the subscriptions and waits for the frames in work."""
        if not self._close(HANG_SECONDS):
            self.get_logger().error(f"the frames in work have not ended within {HANG_SECONDS:.0f} s: the device hangs")
            self.on_activate(state)
            return FAILURE
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Frees the model and what it held."""
        return self._release()

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._release()

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._release()

    def _close(self, timeout: float, *more: str) -> bool:
        """Takes no more frames of the cameras and of ``more`` sources; returns whether those in work have ended in time."""
        self._active = False
        self._nudge()
        return self._inbox.close([*(camera.name for camera in self._cameras), *more], timeout)

    def _close_all(self, timeout: float) -> bool:
        """Likewise of cameras and requests; a request that is left over is answered."""
        ended = self._close(timeout, SegmentService.NAME)
        self._segment.dismiss()
        return ended

    def _release(self) -> TransitionCallbackReturn:
        """Frees whatever there is of the model, the worker and the publishers."""
        ended = self._close_all(HANG_SECONDS)
        if self._engine is not None and not (ended and self._engine.stop(HANG_SECONDS)):
            self.get_logger().error("the model cannot be freed: the device hangs")
            return FAILURE
        self._engine, self._facts, self.model = None, {}, ""
        for camera in self._cameras:
            camera.destroy_publishers()
        inference_worker.free()
        return SUCCESS

    def _lost(self, reason: str) -> None:
        """The device has failed for good: only another process can use it again. Called by the worker."""
        self.get_logger().fatal(f"the device has failed for good, ending with status {run_node.DEVICE_LOST}: {reason}")

        def leave() -> None:
            try:
                self.trigger_deactivate()
            finally:  # before Kilted rclpy raises where the node is not active
                self._end(run_node.DEVICE_LOST)

        if not self._begin(leave):
            self._end(run_node.DEVICE_LOST)

    def finish(self) -> None:
        """Ends the worker while the publishers are still there, and says what became of every frame."""
        self._close_all(run_node.LAST_SECONDS)
        if self._engine is not None:
            self._engine.stop(run_node.LAST_SECONDS)
        run_node.spin_until(self.executor, lambda: self._segment.waiting is None)
        # A logger of its own: the node's would publish to /rosout, which is gone after a signal.
        logger = rclpy.logging.get_logger(f"{self.get_name()} account")
        for camera in self._cameras:
            logger.info(f"{camera.name + ': ' if camera.name else ''}{self._inbox.counts(camera.name)}")

    # Parameters

    def _set_parameters(self, parameters: list) -> SetParametersResult:
        try:
            settings = params.changed(self.settings, parameters)
            params.check(settings, self._engine.predictor.config.class_names if self._engine else None)
        except InputError as error:
            return SetParametersResult(successful=False, reason=str(error))
        self.settings = settings
        self._nudge()
        return SetParametersResult(successful=True)

    # Once per second, in the executor's thread

    def _refresh_inputs(self) -> None:
        for camera in self._cameras:
            camera.input.refresh(self._active and self.settings.enable, self.settings.silence_s)

    def _tick(self) -> None:
        self._refresh_inputs()
        state = self._state_machine.current_state[1]
        seen = "disabled" if self._active and not self.settings.enable else state
        self._ignored.append(self._engine.ignored_rois if self._engine is not None else 0)
        self._say([*(camera.status(seen) for camera in self._cameras), self._model_status(state)])

    def _say(self, statuses: list[diagnostics.Status]) -> None:
        array = DiagnosticArray(status=[self._message(status) for status in statuses])
        array.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(array)

    def _model_status(self, state: str) -> diagnostics.Status:
        facts, times = dict(self._facts), {}
        if (running := self._engine) is not None:
            times = running.stages.percentiles(time.monotonic(), (50,))
            if running.predictor.device.type == "cuda":
                facts["gpu_memory_mb"] = inference_worker.gpu_megabytes(running.predictor.device)
        facts |= {"ignored_rois": self._ignored[-1], "segment_requests": self._inbox.counts(SegmentService.NAME).received}
        ignored = max(0, self._ignored[-1] - self._ignored[0])
        return diagnostics.model_status("model", state, self._progress, times, ignored, facts)

    def _message(self, status: diagnostics.Status) -> DiagnosticStatus:
        name = self.get_fully_qualified_name()
        return DiagnosticStatus(
            level=bytes([status.level]),
            name=f"{name}: {status.name}",
            message=status.message,
            hardware_id=name,
            values=[KeyValue(key=key, value=str(value)) for key, value in status.values.items()],
        )


def main() -> int:
    """Runs the node until it is interrupted.

    Returns:
        0 after an interrupt, 2 if a parameter or the model cannot be used, 3 if the device has failed for good.
    """
    limit_spinning()

    def spin(executor: Any, node: FcisNode) -> None:
        while not node.ended:
            run_node.spin_once(executor)

    return run_node.run("fcis_node", FcisNode, spin)
