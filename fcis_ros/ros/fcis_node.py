"""The node: images in, instance masks out.

The executor's thread only stores the newest image; one worker thread does everything else, so that services, parameters and
lifecycle transitions answer while the network computes.
"""

import contextlib
import re
import sys
import threading
import time
from collections import Counter, deque

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rcl_interfaces.msg import SetParametersResult
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.time import Time
from sensor_msgs.msg import Image

from fcis_ros.errors import InputError
from fcis_ros.msg import InstanceMaskArray
from fcis_ros.ros import masks, params
from fcis_ros.ros.convert import fill_image, to_rgb
from fcis_ros.ros.mailbox import Mailbox
from fcis_ros.structures import Instances
from fcis_ros.threads import wait_politely

NEWEST_BEST_EFFORT = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
OUTPUT = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=5, reliability=ReliabilityPolicy.RELIABLE)
DIAGNOSTIC_PERIOD = 1.0
RECENT = 100  # frames over which stage times and latency are summarised
KINDS_LOGGED = 50  # a stream of ever new errors must not fill the log


class FcisNode(LifecycleNode):
    """A lifecycle node around one ``Predictor``; see README for topics and parameters."""

    def __init__(self) -> None:
        super().__init__("fcis_node")
        self.failed_to_start = False
        self._predictor = None
        self._worker: threading.Thread | None = None
        self._mailbox: Mailbox[Image] = Mailbox()
        self._subscription = None
        self._counts: Counter[str] = Counter()
        self._reported: set[str] = set()
        self._stages: dict[str, deque[float]] = {}
        self._state = "unconfigured"
        self._settings = params.declare(self)
        self.add_on_set_parameters_callback(self._set_parameters)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.create_timer(DIAGNOSTIC_PERIOD, self._publish_diagnostics)
        if self.get_parameter("autostart").value:
            self._start = self.create_timer(0.0, self._autostart)

    # Lifecycle

    def _autostart(self) -> None:
        self._start.cancel()
        configured = self.trigger_configure() == TransitionCallbackReturn.SUCCESS
        if not configured or self.trigger_activate() != TransitionCallbackReturn.SUCCESS:
            self.failed_to_start = self.context.ok()  # after a signal no transition succeeds: not a failure
            raise ExternalShutdownException

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Loads the model, runs it once on an empty frame, creates the publishers."""
        try:
            # PyTorch takes seconds to import: the node is visible before.
            from fcis_ros.model.predictor import Predictor

            predictor = Predictor.from_checkpoint(
                self.get_parameter("model").value or None,
                self.get_parameter("device").value,
                self.get_parameter("threads").value or None,
                self.get_parameter("precision").value,
            )
            params.check(self._settings, predictor.config.class_names)
            predictor(np.zeros((predictor.config.short_side, predictor.config.short_side, 3), np.uint8))
        except InputError as error:
            self.get_logger().error(f"cannot start: {error}")
            return TransitionCallbackReturn.FAILURE
        except Exception as error:  # noqa: BLE001 (rclpy swallows what a transition raises: no PyTorch, no memory, ...)
            self.get_logger().error(f"cannot start: {type(error).__name__}: {error}")
            return TransitionCallbackReturn.FAILURE
        self._predictor = predictor
        self._masks = self.create_lifecycle_publisher(InstanceMaskArray, "~/masks", OUTPUT)
        self._overlay = self.create_lifecycle_publisher(Image, "~/overlay", OUTPUT)
        self._labels = self.create_lifecycle_publisher(Image, "~/labels", OUTPUT)
        self._timing = self.create_lifecycle_publisher(DiagnosticArray, "~/timing", OUTPUT)
        self._state = "inactive"
        self.get_logger().info(f"model {predictor.name} on {predictor.device}: {', '.join(predictor.config.class_names)}")
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Starts the worker and subscribes."""
        result = super().on_activate(state)
        # A new mailbox: the counters go on, its closing is final.
        fresh: Mailbox[Image] = Mailbox()
        fresh.received, fresh.overwritten = self._mailbox.received, self._mailbox.overwritten
        self._mailbox = fresh
        self._worker = threading.Thread(target=self._work, args=(fresh,), name="fcis_worker", daemon=True)
        self._worker.start()
        self._subscription = self.create_subscription(Image, "image", self._mailbox.put, NEWEST_BEST_EFFORT)
        self._state = "active"
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Drops the subscription and waits for the frame in work."""
        self._stop()
        self._state = "inactive"
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Frees the model."""
        for publisher in (self._masks, self._overlay, self._labels, self._timing):
            self.destroy_lifecycle_publisher(publisher)
        self._predictor = None
        self._state = "unconfigured"
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._stop()
        self._state = "finalized"
        return TransitionCallbackReturn.SUCCESS

    def _stop(self) -> None:
        if self._subscription is not None:
            self.destroy_subscription(self._subscription)
            self._subscription = None
        self._mailbox.close()
        if self._worker is not None:
            self._worker.join()
            self._worker = None

    def destroy_node(self) -> None:
        """Ends the worker before the publishers go."""
        self._stop()
        super().destroy_node()

    # Parameters

    def _set_parameters(self, parameters: list) -> SetParametersResult:
        try:
            settings = params.changed(self._settings, parameters)
            params.check(settings, self._predictor.config.class_names if self._predictor else None)
        except InputError as error:
            return SetParametersResult(successful=False, reason=str(error))
        self._settings = settings
        return SetParametersResult(successful=True)

    # Frames

    def _work(self, mailbox: Mailbox) -> None:
        while (image := mailbox.take()) is not None:
            try:
                self._serve(image, self._settings)
            except InputError as error:
                self._counts["rejected"] += 1
                self._report(str(error))
            except Exception as error:  # noqa: BLE001 (one bad frame must not end the service)
                if not self.context.ok():
                    return
                self._counts["failed"] += 1
                self._report(f"frame failed: {type(error).__name__}: {error}")

    def _report(self, problem: str) -> None:
        """Logs a problem once per kind; numbers do not make a new kind."""
        kind = re.sub(r"\d+", "#", problem)
        if kind not in self._reported and len(self._reported) < KINDS_LOGGED:
            self._reported.add(kind)
            self.get_logger().error(f"{problem} (counted in /diagnostics, logged once)")

    def _serve(self, image: Image, settings: params.Settings) -> None:
        from fcis_ros import overlay  # imports PyTorch, like on_configure

        if settings.max_age_ms:
            age = self.get_clock().now() - Time.from_msg(image.header.stamp, self.get_clock().clock_type)
            if age.nanoseconds > settings.max_age_ms * 1_000_000:
                self._counts["stale"] += 1
                return
        clock = time.perf_counter
        start = clock()
        rgb = to_rgb(image)
        converted = clock()
        prediction = self._predictor.predict([rgb], settings.score_threshold)[0]
        found = self._keep(prediction.instances, settings)
        predicted = clock()
        self._masks.publish(masks.to_message(found, image.header, self._predictor.name))
        self._counts["out"] += 1
        published = clock()
        times = {"convert": converted - start, **{k: v / 1000 for k, v in prediction.stage_ms.items()}}
        times["masks"] = published - predicted
        if self._overlay.get_subscription_count():
            drawn = found.select(found.scores >= settings.overlay_score_threshold)
            style = overlay.OverlayStyle(fill=settings.overlay_alpha)
            self._publish_image(self._overlay, image, overlay.draw(rgb, drawn, style), "rgb8")
            times["overlay"] = clock() - published
        if self._labels.get_subscription_count():
            before = clock()
            self._publish_image(self._labels, image, overlay.label_map(found), "mono16")
            times["labels"] = clock() - before
        times["total"] = clock() - start
        if self._timing.get_subscription_count():
            values = [KeyValue(key=name, value=f"{seconds * 1000:.3f}") for name, seconds in times.items()]
            status = DiagnosticStatus(name=self.get_fully_qualified_name(), message="milliseconds", values=values)
            self._timing.publish(DiagnosticArray(header=image.header, status=[status]))
        for name, seconds in times.items():
            self._stages.setdefault(name, deque(maxlen=RECENT)).append(seconds * 1000)

    def _keep(self, found: Instances, settings: params.Settings) -> Instances:
        keep = found.scores >= settings.score_threshold
        if settings.classes:
            keep &= np.isin([found.class_names[label - 1] for label in found.labels], settings.classes).reshape(keep.shape)
        return found.select(np.flatnonzero(keep)[: settings.max_instances])

    def _publish_image(self, publisher, source: Image, pixels: np.ndarray, encoding: str) -> None:
        message = Image(header=source.header)
        fill_image(message, pixels, encoding)
        publisher.publish(message)

    # Diagnostics

    def _publish_diagnostics(self) -> None:
        counts = self._counts
        values = {
            "state": self._state,
            "frames_in": self._mailbox.received,
            "frames_out": counts["out"],
            "frames_overwritten": self._mailbox.overwritten,
            "frames_rejected": counts["rejected"],
            "frames_stale": counts["stale"],
            "frames_failed": counts["failed"],
        }
        if (predictor := self._predictor) is not None:
            values |= {"model": predictor.name, "device": str(predictor.device), "precision": predictor.precision}
        for name, recent in list(self._stages.items()):
            values[f"stage_ms.{name}"] = f"{np.median(list(recent)):.2f}"
        status = DiagnosticStatus(
            level=DiagnosticStatus.OK,
            name=f"{self.get_fully_qualified_name()}: frames",
            message=self._state,
            hardware_id=self.get_fully_qualified_name(),
            values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
        )
        if counts["failed"]:
            status.level, status.message = DiagnosticStatus.ERROR, f"{counts['failed']} frames failed"
        elif counts["rejected"]:
            status.level, status.message = DiagnosticStatus.WARN, f"{counts['rejected']} frames rejected"
        array = DiagnosticArray(status=[status])
        array.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(array)


def main() -> int:
    """Runs the node until it is interrupted.

    Returns:
        0 after an interrupt, 2 if a parameter or the model cannot be used.
    """
    wait_politely()
    rclpy.init()
    node = None
    try:
        executor = SingleThreadedExecutor()  # before anyone sees the node: an interrupt must not meet its constructor
        node = FcisNode()
        executor.add_node(node)
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except InputError as error:
        if rclpy.ok():  # else interrupted while declaring parameters
            print(f"fcis_node: {error}", file=sys.stderr)
            return 2
    except Exception:
        if rclpy.ok():
            raise  # else interrupted while starting
    finally:
        if node is not None:
            with contextlib.suppress(KeyboardInterrupt):
                node.destroy_node()
        rclpy.try_shutdown()
    return 2 if node is not None and node.failed_to_start else 0


if __name__ == "__main__":
    sys.exit(main())
