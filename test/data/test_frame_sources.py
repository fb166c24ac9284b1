# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Every kind of input that needs no ROS, and how each can be wrong."""

import itertools
import os
import socket

import cv2
import numpy as np
import pytest
from network_camera import BRIGHTNESS, network_camera
from pictures import encoded, gif, smooth, tiff, turned_jpeg

from fcis_ros.data import frame_sources
from fcis_ros.data.frame_sources import is_live, list_images, open_source, read_image, without_secrets
from fcis_ros.errors import InputError
from fcis_ros.findings import Unusable


def picture(value, height=24, width=32):
    return np.full((height, width, 3), value, dtype=np.uint8)


@pytest.fixture
def folder(tmp_path):
    for index in (10, 9, 1):
        cv2.imwrite(str(tmp_path / f"f{index}.png"), picture(index))
    (tmp_path / "notes.txt").write_text("not an image")
    return tmp_path


def video(path, frames, rate=20.0):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), rate, (32, 24))
    for index in range(frames):
        writer.write(picture(20 * index))
    writer.release()
    return path


def test_open_source_folder_is_in_natural_order_at_five_hertz(folder):
    source = open_source(str(folder))
    frames, again = list(source.frames()), list(source.frames())
    assert [frame.name for frame in frames] == [frame.name for frame in again] == ["f1.png", "f9.png", "f10.png"]
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [1, 9, 10]
    assert [later.stamp - earlier.stamp for earlier, later in itertools.pairwise(frames)] == [200_000_000] * 2
    assert (source.count, source.rate) == (3, 5.0)


def test_open_source_with_frames_and_rate_uses_them(folder):
    first, second = open_source(str(folder), rate=50, frames=2).frames()
    assert second.name == "f9.png" and second.stamp - first.stamp == 20_000_000


@pytest.mark.parametrize(("written", "pixel"), [(picture((255, 0, 0)), [0, 0, 255]), (picture(7)[..., 0], [7, 7, 7])])
def test_open_source_blue_or_grey_image_is_rgb(tmp_path, written, pixel):
    cv2.imwrite(str(tmp_path / "a.png"), written)
    (frame,) = open_source(str(tmp_path / "a.png")).frames()
    assert frame.image.shape == (24, 32, 3) and frame.image[0, 0].tolist() == pixel


def test_open_source_video_has_its_rate_and_frames(tmp_path):
    source = open_source(str(video(tmp_path / "clip.mp4", 6)))
    frames = list(source.frames())
    assert [frame.name for frame in frames] == [f"{index:06d}" for index in range(6)]
    assert source.rate == pytest.approx(20) and source.count == 6
    assert frames[1].stamp - frames[0].stamp == 50_000_000
    shorter = open_source(str(tmp_path / "clip.mp4"), frames=4)
    assert shorter.count == len(list(shorter.frames())) == 4


def test_open_source_synthetic_has_truth_and_repeats():
    first, again = (list(open_source("synthetic", frames=2, seed=3).frames()) for _ in range(2))
    assert len(first) == 2 and first[0].name != first[1].name
    assert all((a.image == b.image).all() and a.truth.name == a.name for a, b in zip(first, again, strict=True))


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("missing", None, "no such file"),
        ("empty", "folder", "no images"),
        ("damaged.mp4", b"not a video at all" * 100, "not a video"),
        ("damaged.png", b"\x89PNG but no more", "cannot|not an image"),
        ("nothing.png", b"", "not an image"),
        ("dot.png", picture(1, 1, 1), "1x1 is too small"),
        ("line.png", picture(1, 2, 200), "too elongated"),
    ],
)
def test_open_source_bad_input_names_it(tmp_path, name, content, says):
    path = tmp_path / name
    if isinstance(content, np.ndarray):
        cv2.imwrite(str(path), content)
    elif isinstance(content, bytes):
        path.write_bytes(content)
    elif content == "folder":
        path.mkdir()
    with pytest.raises(InputError, match=says) as error:
        list(open_source(str(path)).frames())
    assert name in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(("rate", "frames"), [(0, None), (-1, None), (float("nan"), None), (None, 0)])
def test_open_source_bad_numbers_raise(rate, frames):
    with pytest.raises(InputError):
        open_source("synthetic", rate=rate, frames=frames)


class RecordedCapture:
    """A stand-in for cv2.VideoCapture that notes what was opened and delivers two frames."""

    opened: list = []

    def __init__(self, *arguments):
        self.opened.append(arguments)
        self.left = 2

    def isOpened(self):
        return True

    def read(self):
        self.left -= 1
        return self.left >= 0, picture(7)

    def set(self, *arguments):
        return True

    def release(self):
        pass


LIMITS = frame_sources.STREAM_LIMITS


@pytest.mark.parametrize(
    ("spec", "arguments", "description"),
    [
        ("0", (0,), "camera 0"),
        ("12", (12,), "camera 12"),
        ("/dev/null", ("/dev/null", cv2.CAP_V4L2), "camera /dev/null"),  # some device that every machine has
        ("/dev/video99", ("/dev/video99", cv2.CAP_V4L2), "camera /dev/video99"),
        ("/dev/v4l/by-id/usb-x", ("/dev/v4l/by-id/usb-x", cv2.CAP_V4L2), "camera /dev/v4l/by-id/usb-x"),
        ("rtsp://host:554/a", ("rtsp://host:554/a", cv2.CAP_FFMPEG, LIMITS), "stream rtsp://host:554/a"),
        ("RTSP://host/a", ("RTSP://host/a", cv2.CAP_FFMPEG, LIMITS), "stream RTSP://host/a"),
        ("http://host/a.mjpg", ("http://host/a.mjpg", cv2.CAP_FFMPEG, LIMITS), "stream http://host/a.mjpg"),
        ("LINK", ("LINK", cv2.CAP_V4L2), "camera LINK"),
        ("udp://@:5000", ("udp://@:5000", cv2.CAP_FFMPEG, LIMITS), "stream udp://***@:5000"),
        ("rtsp://u:p@h/a?b=c", ("rtsp://u:p@h/a?b=c", cv2.CAP_FFMPEG, LIMITS), "stream rtsp://***@h/a..."),
    ],
)
def test_open_source_every_kind_of_camera_opens_it_as_given(tmp_path, monkeypatch, spec, arguments, description):
    monkeypatch.setattr(RecordedCapture, "opened", [])
    monkeypatch.setattr(cv2, "VideoCapture", RecordedCapture)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "LINK").symlink_to("/dev/null")  # to a device
    source = open_source(spec)
    frames = list(source.frames())
    assert RecordedCapture.opened == [arguments] and is_live(spec)
    assert [frame.name for frame in frames] == ["000000", "000001"] and frames[0].stamp < frames[1].stamp
    assert (source.description, source.count) == (description, 150)


@pytest.mark.parametrize("spec", ["synthetic", "/dev/shm", "2026", "drive.mp4", "front/0", "file:///clip.mp4"])
def test_is_live_other_inputs_are_no_camera(spec):
    assert not is_live(spec)


@pytest.mark.parametrize(
    ("spec", "shown"),
    [
        ("rtsp://host:554/stream1", "rtsp://host:554/stream1"),
        ("rtsp://user:secret@host/stream1", "rtsp://***@host/stream1"),
        ("rtsp://user:sec@ret@host/stream1", "rtsp://***@host/stream1"),
        ("rtsp://user:sec/r#e?t@host/stream1", "rtsp://***@host/stream1"),  # as people type it, though it cannot be opened
        ("http://host/video?user=a&password=secret", "http://host/video..."),
        ("rtsp://host/user=a_password=secret_channel=1.sdp", "rtsp://host/user..."),
        ("frames@home/a=b", "frames@home/a=b"),
    ],
)
def test_without_secrets_url_hides_user_and_parameters(spec, shown):
    assert without_secrets(spec) == shown


@pytest.fixture
def listening(monkeypatch):
    """A socket on this machine, and the URL of it with secrets; connections are accepted by no program."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"://user:secret@127.0.0.1:{server.getsockname()[1]}/live?key=secret"


@pytest.mark.parametrize("scheme", ["rtsp", "http", "tcp"])
def test_open_source_stream_that_stays_silent_ends_in_one_line(monkeypatch, listening, capfd, scheme):
    limits = (cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, 200, cv2.CAP_PROP_READ_TIMEOUT_MSEC, 200)
    monkeypatch.setattr(frame_sources, "STREAM_LIMITS", limits)
    with pytest.raises(InputError, match=r"^stream \w+://\*\*\*@127.0.0.1:\d+/live...: cannot be opened$"):
        list(open_source(scheme + listening).frames())
    assert "secret" not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("rtsp://user:secret@127.0.0.1:1/a", "stream rtsp://***@127.0.0.1:1/a: cannot be opened"),
        ("http://user:secret@127.0.0.1:1/a", "stream http://***@127.0.0.1:1/a: cannot be opened"),
        ("nonsense://user:secret@127.0.0.1:1/a", "stream nonsense://***@127.0.0.1:1/a: cannot be opened"),
        ("97", "camera 97: cannot be opened"),
        ("/dev/video99", "camera /dev/video99: no such device"),
        ("/dev/v4l/by-id/usb-none", "camera /dev/v4l/by-id/usb-none: no such device"),
        ("/dev/null", "camera /dev/null: cannot be opened"),
        ("file:///clip.mp4", "file:///clip.mp4: a file is given by its path, without file://"),
    ],
)
def test_open_source_camera_that_cannot_be_opened_says_so(monkeypatch, capfd, spec, says):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(InputError) as error:
        list(open_source(spec).frames())
    assert str(error.value) == says and "secret" not in "".join(capfd.readouterr())


def test_open_source_network_camera_yields_its_frames(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with network_camera() as url:
        source = open_source(url, frames=4)
        for _ in range(2):  # a source can be opened again
            frames = list(source.frames())
            assert [frame.image.mean() for frame in frames] == pytest.approx(BRIGHTNESS[:4], abs=3)
            assert frames[0].image.shape == (48, 64, 3)
        assert len(list(open_source(url).frames())) == len(BRIGHTNESS)


def test_open_source_folder_with_unusable_images_yields_the_others(folder):
    (folder / "f2.jpg").write_bytes(encoded("jpg")[:-300])
    (folder / "f11.gif").write_bytes(gif(2))
    (folder / "._f1.png").write_bytes(b"AppleDouble")
    source = open_source(str(folder))
    frames = list(source.frames())
    assert [frame.name for frame in frames] == ["f1.png", "f2.jpg", "f9.png", "f10.png", "f11.gif"] and source.count == 5
    assert frames[1] == Unusable("f2.jpg", "the data end before the picture does")
    assert "GIF" in frames[4].reason and frames[3].stamp - frames[0].stamp == 600_000_000


def test_open_source_folder_without_a_usable_image_is_refused(tmp_path):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"none of its 2 frames can be used; the first: a.png: not an image"):
        list(open_source(str(tmp_path)).frames())


def test_list_images_suffix_of_any_case_that_opencv_reads_is_listed(tmp_path):
    names = ["a.JPG", "b.jfif", "c.JPEG", "d.avif", "e.gif", "f.jp2", "g.Tif", "h.webp", "i.PNM", "j.bmp", "k.jpe"]
    for name in (*names, "._a.JPG", ".hidden.png", "Thumbs.db", ".DS_Store", "notes.txt", "a.json", "clip.mp4"):
        (tmp_path / name).write_bytes(b"-")
    paths, findings = list_images(tmp_path)
    assert [path.name for path in paths] == names and findings == ()


def test_list_images_pictures_of_other_formats_are_findings(tmp_path):
    for name in ("a.png", "b.HEIC", "c.heic", "d.CR2", "._e.heic"):
        (tmp_path / name).write_bytes(b"-")
    paths, findings = list_images(tmp_path)
    assert [path.name for path in paths] == ["a.png"] and all(finding.lost for finding in findings)
    assert [finding.text for finding in findings] == [
        "2 images: .heic is not read: b.HEIC, c.heic",
        "1 image: .cr2 is not read: d.CR2",
    ]
    (tmp_path / "a.png").unlink()
    with pytest.raises(InputError, match=r"no images in this folder.*; 2 images: .heic is not read"):
        list_images(tmp_path)


def test_list_images_folders_inside_are_a_remark(tmp_path):
    (tmp_path / "a.png").write_bytes(b"-")
    for name in ("left", "v1.0", ".thumbnails"):
        (tmp_path / name).mkdir()
    _, (finding,) = list_images(tmp_path)
    assert finding.text == "2 folders inside, of which no image is read: left, v1.0" and not finding.lost


def test_read_image_of_a_camera_sensor_is_refused(tmp_path):
    """It is a TIFF whose first picture is a preview."""
    (tmp_path / "a.dng").write_bytes(tiff([smooth()]))
    with pytest.raises(InputError, match=r"a.dng: .dng is not read"):
        read_image(tmp_path / "a.dng")


def test_read_image_is_as_stored(tmp_path):
    (tmp_path / "a.jpg").write_bytes(turned_jpeg(6))
    (tmp_path / "b.jpg").write_bytes(encoded("jpg"))
    assert np.array_equal(read_image(tmp_path / "a.jpg"), read_image(tmp_path / "b.jpg"))


def test_read_image_of_a_pipe_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "a.jpg")
    with pytest.raises(InputError, match=r"a.jpg: cannot be read \(a pipe"):
        read_image(tmp_path / "a.jpg")


def test_list_images_of_a_missing_folder_raises(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        list_images(tmp_path / "nowhere")
