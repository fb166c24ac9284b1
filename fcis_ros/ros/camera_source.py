# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The node that publishes a camera, a recording, a video, an image folder or the synthetic clip as images."""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import rclpy.logging
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, Image

from fcis_ros.errors import InputError
from fcis_ros.findings import Unusable
from fcis_ros.messages.image_messages import fill_image
from fcis_ros.ros import calibration, qos, run_node, usage
from fcis_ros.ros.header_checks import nanoseconds
from fcis_ros.ros.parameter_node import ParameterNode
from fcis_ros.ros.params import Parameter
from fcis_ros.ros.played_node import UNANSWERED, PlayedNode

T = TypeVar("T")
OpenBag = Callable[[Path, float | None, str | None], Any]  # -> data.frame_sources.FrameSource
TOPICS = """
image_raw    out: images, rgb8
camera_info  out: calibration with the same headers
~/masks of the node in wait_for, /diagnostics: in, with wait_for
"""
RECONNECT_SECONDS = 15.0  # time without a frame after which a camera is lost for good
RETRY_SECONDS = 1.0
PARAMETERS = (
    Parameter("source", "synthetic",
              "Camera (index, /dev/video2, URL of a stream), recording, video, folder of images, image, or 'synthetic'.",
              read_only=True, any_type=True),  # a camera index on the command line is a number
    Parameter("rate", 0.0, "Frames per second; 0 for the source's rate (images 5, synthetic 6) or recorded time.",
              (0.0, 1000.0), read_only=True),
    Parameter("topic", "", "Topic of the images in a recording with several image topics.", read_only=True),
    Parameter("frame_id", "camera_optical_frame", "Optical frame of the camera (REP-103) in the headers.", read_only=True),
    Parameter("loop", True, "Whether a video, folder or clip starts again at its end.", read_only=True),
    Parameter("camera_info_url", "", "Calibration of the camera: a path, file:///PATH or package://PACKAGE/PATH; empty for "
              "none (K is zero).", read_only=True),
    Parameter("wait_for", "", "Full name of a fcis_node: the source begins when it is active and reads the images, waits for "
              "it if it computes every frame, and says at the end what became of the frames; empty for none.", read_only=True),
)  # fmt: skip


def reconnecting(
    frames: Callable[[], Iterator[T]],
    warn: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[T]:
    """Yields the frames of a live camera, which is opened again when a read fails.

    Args:
        frames: a function that opens the camera; the iterator ends or raises InputError when no frame can be read.
        warn: the function that gets a line for every loss, with the number of losses.
        sleep: a function that waits for some seconds.
        clock: a function that returns the time in seconds.

    Raises:
        InputError: the camera cannot be opened at first, or not again within RECONNECT_SECONDS.
    """
    last, losses = None, 0
    while True:
        try:
            for frame in frames():
                last = clock()
                yield frame
            reason = "a read failed"
        except InputError as error:
            if last is None:
                raise
            reason = str(error)
        if last is None or clock() - last > RECONNECT_SECONDS:
            raise InputError(f"{reason}; no frame for {RECONNECT_SECONDS:.0f} s, the camera is lost")
        losses += 1
        warn(f"{reason}, opening the camera again (loss {losses})")
        sleep(RETRY_SECONDS)


class CameraSource(ParameterNode):
    """Publishes ``image_raw`` and ``camera_info`` with equal headers.

    Args:
        open_bag: a function that opens a recording (path, rate, topic); None if the library for it is not installed.
    """

    def __init__(self, open_bag: OpenBag | None = None) -> None:
        super().__init__("camera_source")
        self.exit_status = run_node.DONE
        # The import takes seconds: a node that exists by now ends cleanly at an interrupt.
        from fcis_ros.data.frame_sources import is_bag, is_live, open_source, without_secrets

        source, rate, topic, self._frame_id, self._loop, url, wait_for = self.declare(PARAMETERS).values()
        source = str(source)
        self._calibration = None
        if url:
            self._calibration = CameraInfo()
            calibration.fill(self._calibration, url, self.get_name())
        self._live = is_live(source)
        # A live camera has no end: the number of frames is a bound that is never reached.
        self._recorded_time = False
        self._left_out: list[str] = []  # frames and files that cannot be used, with the reason
        if not self._live and is_bag(Path(source)):
            if open_bag is None:
                raise InputError(f"{source}: recordings need rosbags (pip install rosbags)")
            self._source = open_bag(Path(source), rate or None, topic or None)
            self._recorded_time = not rate
        elif topic:
            raise InputError(f"topic {topic}: {without_secrets(source)} is not a recording")
        else:
            self._source = open_source(source, rate or None, 2**31 if self._live else None)
        for finding in self._source.findings:
            if finding.lost:
                self._leave_out(str(finding))
            else:
                self.get_logger().info(str(finding))
        profile = QoSProfile(depth=UNANSWERED if wait_for else 1)
        self._images = self.create_publisher(Image, "image_raw", profile)
        namespace = self.resolve_topic_name("image_raw").rsplit("/", 1)[0]
        info_topic = qos.companion_topic(self, "camera_info", f"{namespace}/camera_info")
        self._infos = self.create_publisher(CameraInfo, info_topic, profile)
        self._sent = 0
        self._played = PlayedNode(self, wait_for, self._spin) if wait_for else None

    def run(self) -> None:
        """Publishes until the source or the context ends.

        Raises:
            InputError: a frame cannot be read.
            ExternalShutdownException: the context has ended.
        """
        played = self._played
        if played:
            played.wait_until_ready(self._images)
        how = "in recorded time, about" if self._recorded_time else "at"
        self.get_logger().info(f"{self._source.description} {how} {self._source.rate:g} Hz")
        try:
            self._play()
        finally:  # also of a recording that ends with damage
            if played and self.context.ok():
                played.wait_for_answers()
        if self._left_out or (played and played.every and played.frames.lost):
            self.exit_status = run_node.UNUSABLE

    def _play(self) -> None:
        due = time.monotonic()
        for image, wait in self._frames():
            if not self._live:
                due = max(due + wait, time.monotonic() - 1.0)
            self._spin(0)
            while (left := due - time.monotonic()) > 0:
                self._spin(left)
            if self._played:
                self._played.wait_for_room()
            self._publish(image)

    def finish(self) -> None:
        """Says what became of the frames, if the source counts them or some were left out."""
        if not self._sent or not (self._played or self._left_out):
            return
        text = str(self._played.frames) if self._played else f"{self._sent} frames sent"
        if self._left_out:
            text += f"; {len(self._left_out)} left out, the first: {self._left_out[0]}"
        # A separate logger: the node's would publish to /rosout, which is gone after a signal.
        logger = rclpy.logging.get_logger(f"{self.get_name()} account")
        (logger.warning if self._left_out or (self._played and self._played.frames.lost) else logger.info)(text)

    def _spin(self, seconds: float) -> None:
        """Serves a callback if there is one within some seconds."""
        run_node.spin_once(self.executor, seconds)

    def _leave_out(self, reason: str) -> None:
        if reason not in self._left_out:  # otherwise of an earlier round
            self.get_logger().warning(reason)
            self._left_out.append(reason)

    def _frames(self) -> Iterator[tuple[np.ndarray, float]]:
        """Yields images and the seconds between each and the one before."""
        if self._live:
            frames = reconnecting(self._source.frames, self.get_logger().warning)
            yield from ((frame.image, 0.0) for frame in frames)
        period = 1 / self._source.rate
        while True:
            last = None
            for frame in self._source.frames():
                if isinstance(frame, Unusable):
                    self._leave_out(f"frame {frame.name}: {frame.reason}")
                    continue
                yield frame.image, period if last is None or not self._recorded_time else (frame.stamp - last) / 1e9
                last = frame.stamp
            if not self._loop:
                return

    def _publish(self, pixels: np.ndarray) -> None:
        image, info = Image(), CameraInfo()
        image.header.stamp = self.get_clock().now().to_msg()
        image.header.frame_id = self._frame_id
        fill_image(image, pixels, "rgb8")
        if self._calibration is not None:
            info = self._calibration
            if (info.width, info.height) != (image.width, image.height):
                size = f"{info.width}x{info.height}"
                raise InputError(f"camera_info_url: the calibration is for {size}, the images are {image.width}x{image.height}")
        # Without a calibration K stays zero, which means uncalibrated; invented numbers would be taken for measured ones.
        info.header, info.height, info.width = image.header, image.height, image.width
        self._images.publish(image)
        self._infos.publish(info)
        self._sent += 1
        if self._played:
            self._played.frames.add_sent(nanoseconds(image.header.stamp))


def main(open_bag: OpenBag | None = None) -> int:
    """Runs the node.

    Args:
        open_bag: the argument of ``CameraSource``.

    Returns:
        0 at the end of the source, after an interrupt or ``--help``; 2 if the source or a part of it cannot be used, a camera
        is lost for good, or a node that computes every frame has not answered all.
    """
    if usage.asked(sys.argv):
        print(usage.usage("camera_source", "Publishes a camera, a recording, a video or images.", TOPICS, PARAMETERS))
        return run_node.DONE
    return run_node.run("camera_source", lambda: CameraSource(open_bag), lambda _executor, node: node.run())
