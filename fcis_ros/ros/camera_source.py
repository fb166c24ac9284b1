"""A camera that needs no driver: publishes a camera, a video, an image folder or the synthetic clip."""

import time
from collections.abc import Iterator

import numpy as np
from rcl_interfaces.msg import FloatingPointRange, ParameterDescriptor
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, Image

from fcis_ros.errors import InputError
from fcis_ros.ros import process
from fcis_ros.ros.convert import fill_image

FIELD_OF_VIEW = 60.0  # degrees across, of the camera_info: a guess that is good enough to draw with


class CameraSource(Node):
    """Publishes ``image_raw`` and ``camera_info`` with equal headers."""

    def __init__(self) -> None:
        super().__init__("camera_source")
        self.exit_status = process.DONE
        # Takes seconds to import: an interrupt meanwhile finds a node that can end cleanly.
        from fcis_ros.data.frames import open_source

        def declare(name: str, default, description: str, **details):
            descriptor = ParameterDescriptor(description=description, read_only=True, **details)
            try:
                return self.declare_parameter(name, default, descriptor).value
            except Exception as error:  # noqa: BLE001 (rclpy has one exception per kind of mistake, differing by distribution)
                raise InputError(f"parameter {name}: {' '.join(str(error).split())}") from None

        source = declare(
            "source", "synthetic", "Camera index, video, folder of images, one image, or 'synthetic' for a rendered street.",
            dynamic_typing=True,  # a camera index on the command line is a number
        )  # fmt: skip
        source = str(source)
        rate = declare(
            "rate", 0.0, "Frames per second; 0 for the source's own (images 5, synthetic 6).",
            floating_point_range=[FloatingPointRange(from_value=0.0, to_value=1000.0)],
        )  # fmt: skip
        self._frame_id = declare("frame_id", "camera_optical_frame", "Optical frame of the camera (REP-103), for the headers.")
        self._loop = declare("loop", True, "Start again at the end of a video, folder or clip.")
        self._live = source.isdigit()
        # A live camera has no end; frames is only a bound where the source itself has none.
        self._source = open_source(source, rate or None, 2**31 if self._live else None)
        self._images = self.create_publisher(Image, "image_raw", QoSProfile(depth=1))
        self._infos = self.create_publisher(CameraInfo, "camera_info", QoSProfile(depth=1))

    def run(self, executor: SingleThreadedExecutor) -> None:
        """Publishes until the source ends or the context does.

        Args:
            executor: which this node has been added to; serves its services between frames.

        Raises:
            InputError: a frame cannot be read.
        """
        self.get_logger().info(f"{self._source.description} at {self._source.rate:g} Hz")
        due = time.monotonic()
        for image in self._frames():
            if not self._live:
                due = max(due + 1 / self._source.rate, time.monotonic() - 1.0)
                time.sleep(max(0.0, due - time.monotonic()))
            executor.spin_once(timeout_sec=0)
            if not self.context.ok():
                return
            self._publish(image)

    def finish(self) -> None:
        """Nothing is left to do at the end."""

    def _frames(self) -> Iterator[np.ndarray]:
        while True:
            for frame in self._source.frames():
                yield frame.image
            if not self._loop or self._live:
                return

    def _publish(self, pixels: np.ndarray) -> None:
        image, info = Image(), CameraInfo()
        image.header.stamp = self.get_clock().now().to_msg()
        image.header.frame_id = self._frame_id
        fill_image(image, pixels, "rgb8")
        info.header = image.header
        info.height, info.width = image.height, image.width
        focal = 0.5 * image.width / float(np.tan(np.radians(FIELD_OF_VIEW / 2)))
        cx, cy = (image.width - 1) / 2, (image.height - 1) / 2
        info.distortion_model = "plumb_bob"
        info.d = [0.0] * 5
        info.k = [focal, 0.0, cx, 0.0, focal, cy, 0.0, 0.0, 1.0]
        info.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
        info.p = [focal, 0.0, cx, 0.0, 0.0, focal, cy, 0.0, 0.0, 0.0, 1.0, 0.0]
        self._images.publish(image)
        self._infos.publish(info)


def main() -> int:
    """Runs the source.

    Returns:
        0 at its end or after an interrupt, 2 if it cannot be used.
    """
    return process.run("camera_source", CameraSource, lambda executor, node: node.run(executor))
