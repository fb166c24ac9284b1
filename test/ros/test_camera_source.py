# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import cv2
import numpy as np
import pytest
from network_camera import BRIGHTNESS, network_camera
from recordings import Bags

from fcis_ros.errors import InputError
from fcis_ros.messages.image_messages import to_rgb
from fcis_ros.messages.typestore import IMAGE

pytestmark = pytest.mark.ros


@pytest.fixture
def camera(graph):
    from rclpy.qos import qos_profile_sensor_data
    from sensor_msgs.msg import CameraInfo, Image

    images, infos = [], []
    graph.create_subscription(Image, "image_raw", images.append, qos_profile_sensor_data)
    graph.create_subscription(CameraInfo, "camera_info", infos.append, qos_profile_sensor_data)
    return images, infos


def test_camera_source_folder_is_in_natural_order(camera, start, tmp_path, wait_for):
    images, infos = camera
    for number in (10, 9, 8):
        cv2.imwrite(str(tmp_path / f"frame{number}.png"), np.full((48, 64, 3), number, np.uint8))
    process = start("camera_source", {"source": tmp_path, "rate": 10.0})
    wait_for(lambda: len(images) >= 12 and len(infos) >= 12, "twelve frames")
    values = [int(to_rgb(image)[0, 0, 0]) for image in images]
    assert all((b - a) % 3 == 1 for a, b in zip(values, values[1:], strict=False))  # 8 9 10 8 ...: repeated, in order
    assert images[0].header.frame_id == "camera_optical_frame"
    stamps = [image.header.stamp.sec + image.header.stamp.nanosec / 1e9 for image in images]
    assert stamps == sorted(stamps) and stamps[-1] - stamps[0] > 0.5 * 0.1 * (len(stamps) - 1)  # not as fast as it can
    known = {(info.header.stamp.sec, info.header.stamp.nanosec): info for info in infos}
    pairs = [(image, known[key]) for image in images if (key := (image.header.stamp.sec, image.header.stamp.nanosec)) in known]
    assert pairs and all(info.header == image.header and (info.width, info.height) == (64, 48) for image, info in pairs)
    assert not any(infos[0].k) and not any(infos[0].p)  # uncalibrated: nothing is invented
    assert process.interrupt() == 0, process.output


def test_camera_source_without_loop_ends(camera, start, tmp_path):
    cv2.imwrite(str(tmp_path / "only.png"), np.zeros((48, 64, 3), np.uint8))
    assert start("camera_source", {"source": tmp_path, "rate": 20.0, "loop": False}).wait() == 0


def test_camera_source_synthetic_has_camera_info(camera, start, wait_for):
    images, _ = camera
    process = start("camera_source", {"source": "synthetic"})
    wait_for(lambda: images, "a frame")
    assert (images[0].width, images[0].height, images[0].encoding) == (480, 360, "rgb8")
    assert process.interrupt() == 0, process.output


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"source": "{folder}/nothing.mp4"}, "no such file or folder"),
        ({"source": "{folder}/broken.png"}, "not an image"),
        ({"source": 97}, "camera 97: cannot be opened"),
        ({"source": "rtsp://user:secret@127.0.0.1:1/a?b=secret"}, "stream rtsp://***@127.0.0.1:1/a...: cannot be opened"),
        ({"topic": "/left"}, "topic /left: synthetic is not a recording"),
        ({"rate": -1.0}, "parameter rate: "),
    ],
)
def test_camera_source_unusable_parameter_ends_with_one_line(graph, start, tmp_path, parameters, named):
    (tmp_path / "broken.png").write_bytes(b"no image")
    process = start("camera_source", {name: str(value).format(folder=tmp_path) for name, value in parameters.items()})
    assert process.wait() == 2
    (line,) = (line for line in process.output.splitlines() if line.startswith("camera_source:"))
    assert named in line and "Traceback" not in process.output and "secret" not in process.output


def test_camera_source_network_camera_is_reopened(camera, start, wait_for, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    images, _ = camera
    with network_camera() as url:
        process = start("camera_source", {"source": f"{url}?key=secret"})
        wait_for(lambda: "(loss 2)" in process.output and images, "the third connection")
        assert process.interrupt() == 0, process.output
    assert "stream http://127.0.0.1:" in process.output and "secret" not in process.output
    assert any(to_rgb(images[-1]).mean() == pytest.approx(value, abs=3) for value in BRIGHTNESS)


def test_camera_source_calibration_follows_remapped_image(graph, start, tmp_path, wait_for, calibration_text):
    from sensor_msgs.msg import CameraInfo

    infos = []
    graph.create_subscription(CameraInfo, "front/camera_info", infos.append, 10)
    cv2.imwrite(str(tmp_path / "only.png"), np.zeros((480, 640, 3), np.uint8))
    (tmp_path / "front.yaml").write_text(calibration_text)
    parameters = {"source": tmp_path, "camera_info_url": f"file://{tmp_path}/front.yaml"}
    process = start("camera_source", parameters, {"image_raw": "front/image_raw"})
    wait_for(lambda: infos, "the calibration")
    assert infos[0].k[0] == 500 and infos[0].header.frame_id == "camera_optical_frame"
    assert process.interrupt() == 0
    (tmp_path / "front.yaml").write_text(calibration_text.replace("640", "320"))
    process = start("camera_source", parameters)
    assert process.wait() == 2 and "the calibration is for 320x480, the images are 640x480" in process.output


def test_reconnecting_failed_camera_is_reopened_until_lost():
    from fcis_ros.ros.camera_source import RECONNECT_SECONDS, reconnecting

    now, warnings, openings = [0.0], [], [iter([1, 2]), InputError("camera 0: cannot be opened"), iter([3]), iter([])]

    def frames():
        opening = openings.pop(0) if openings else InputError("camera 0: cannot be opened")
        if isinstance(opening, InputError):
            raise opening
        yield from opening

    def sleep(seconds):
        now[0] += seconds

    got = []
    with pytest.raises(InputError, match="camera 0: cannot be opened; no frame for 15 s, the camera is lost"):
        for frame in reconnecting(frames, warnings.append, sleep, lambda: now[0]):
            got.append(frame)
    assert got == [1, 2, 3]
    assert warnings[:2] == ["a read failed, opening the camera again (loss 1)",
                            "camera 0: cannot be opened, opening the camera again (loss 2)"]  # fmt: skip
    assert len(warnings) == 2 + RECONNECT_SECONDS + 1

    def nothing():
        raise InputError("camera 1: cannot be opened")
        yield

    with pytest.raises(InputError, match="camera 1: cannot be opened$"):  # at first it is not waited for
        next(reconnecting(nothing, warnings.append))


@pytest.fixture
def recording(tmp_path):
    """Records frames at these times, each of the brightness of its number."""

    def write(seconds, topics=("/cam",)):
        bags = Bags(tmp_path)
        frames = [(bags.START + round(second * 1e9), np.full((48, 64, 3), number, np.uint8))
                  for number, second in enumerate(seconds)]  # fmt: skip
        return bags.write([(topic, IMAGE, bags.image(pixels, stamp), stamp) for topic in topics for stamp, pixels in frames])

    return write


def test_camera_source_recording_keeps_time(camera, start, recording, wait_for):
    """Intervals are the recording's, not those of a rate."""
    images, _ = camera
    bag = recording([0, 0.2, 0.4, 1.6, 1.8])
    process = start("camera_source", {"source": bag})

    def pairs():
        """Seconds between the third and the fourth frame, whenever both came."""
        stamped = [(image, image.header.stamp) for image in list(images)]
        seen = [(int(to_rgb(image)[0, 0, 0]), stamp.sec + stamp.nanosec / 1e9) for image, stamp in stamped]
        return [b - a for (one, a), (other, b) in zip(seen, seen[1:], strict=False) if (one, other) == (2, 3)]

    wait_for(pairs, "the pause of the recording")
    assert max(pairs()) > 1.0  # a busy machine may be late once, and early the next time to make up for it
    assert process.interrupt() == 0, process.output


def test_camera_source_recording_at_rate_of_topic(camera, start, recording, wait_for):
    images, _ = camera
    bag = recording([0, 5, 10], ("/left", "/right"))
    process = start("camera_source", {"source": bag, "rate": 10.0, "topic": "/left"})
    wait_for(lambda: len(images) >= 4, "more frames than the recording's ten seconds have")
    assert process.interrupt() == 0, process.output
    process = start("camera_source", {"source": bag})
    assert process.wait() == 2 and "several topics with images" in process.output


def test_camera_source_frames_left_out_are_counted_and_named(camera, start, tmp_path):
    """An image without pixels among good ones: the others are played, and the status says that something is missing."""
    bags = Bags(tmp_path)
    pixels = [np.zeros((48, 64, 3), np.uint8)] * 5
    stamps = [bags.START + number * 10_000_000 for number in range(5)]
    messages = [bags.image(image, stamp) for image, stamp in zip(pixels, stamps, strict=True)]
    for number in (1, 3):
        messages[number].step = 1
    bag = bags.write([("/cam", IMAGE, message, stamp) for message, stamp in zip(messages, stamps, strict=True)])
    process = start("camera_source", {"source": bag, "loop": False})
    assert process.wait() == 2
    assert "account]: 3 frames sent; 2 left out, the first: frame 000001: " in process.output
    assert process.output.count("frame 000003: image: step 1 is too small") == 1
