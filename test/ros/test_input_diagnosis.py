# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import shutil
from types import SimpleNamespace

import fast_dds
import pytest

from fcis_ros.ros import input_diagnosis
from fcis_ros.ros.input_diagnosis import UNNAMED, Publisher, Silence, full_name

IMAGE = "sensor_msgs/msg/Image"
GOOD = Publisher("/driver", IMAGE, "")


@pytest.mark.parametrize(
    ("given", "kind", "error", "text"),
    [
        ({}, "no_publisher", False, "no image for 3 s: /image has no publisher"),
        ({"elsewhere": ["/front (-r image:=/front)", "/rear"]}, "no_publisher", False,
         "no image for 3 s: /image has no publisher; images are published on /front (-r image:=/front), /rear"),
        ({"publishers": [Publisher("/talker", "std_msgs/msg/String", "")]}, "wrong_type", True,
         "no image for 3 s: /talker publishes /image as std_msgs/msg/String, sensor_msgs/msg/Image is needed"),
        ({"publishers": [Publisher("/driver", IMAGE, "ERROR: best effort")]}, "incompatible_qos", True,
         "no image for 3 s: the quality of service of /driver on /image does not match (ERROR: best effort); "
         "use input_qos auto"),
        ({"publishers": [Publisher("/other", IMAGE, "no"), GOOD]}, "nothing_received", False,
         "no image for 3 s: /other is connected on /image, but nothing arrives"),
        ({"publishers": [GOOD], "hint": "look there"}, "nothing_received", False,
         "no image for 3 s: /driver is connected on /image, but nothing arrives; look there"),
        ({"publishers": [GOOD], "received": 7}, "silent", False,
         "no image for 3 s on /image: /driver has stopped publishing"),
    ],
)  # fmt: skip
def test_diagnose_reason_is_named(given, kind, error, text):
    given = {"publishers": (), "received": 0, "silent": 3.4, "elsewhere": (), "hint": "", **given}
    assert input_diagnosis.diagnose("/image", IMAGE, **given) == Silence(kind, text, error)


@pytest.mark.parametrize(
    ("name", "compressed", "topic", "expected"),
    [
        ("image", False, "/tello/raw", "-r image:=/tello/raw"),
        ("front/image", False, "/cam/compressed", "-r front/image:=/cam/compressed"),
        ("image", True, "/tello/jpeg", "-r image/compressed:=/tello/jpeg"),
        ("image", True, "/cam/image_raw/compressed", "-r image:=/cam/image_raw"),
        ("front/image", True, "/compressed", "-r front/image/compressed:=/compressed"),
    ],
)
def test_remapping_makes_the_input_read_the_topic(name, compressed, topic, expected):
    assert input_diagnosis.remapping(name, compressed, topic) == expected


@pytest.fixture
def environment(monkeypatch, tmp_path):
    fast_dds.install(monkeypatch, tmp_path / "kilted", "libfastdds.so.3.2")
    return monkeypatch


def test_transport_hint_depends_on_middleware(environment):
    environment.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(total=2**32))
    fast = input_diagnosis.transport_hint("rmw_fastrtps_cpp", "/share/large.xml")
    assert "FASTDDS_DEFAULT_PROFILES_FILE=/share/large.xml for this node and the publisher" in fast and "shm" not in fast
    assert "rmw_zenohd" in input_diagnosis.transport_hint("rmw_zenoh_cpp", "")
    assert "rmem_max" in input_diagnosis.transport_hint("rmw_cyclonedds_cpp", "")
    assert input_diagnosis.transport_hint("rmw_other", "") == ""


def test_transport_hint_with_profile_names_publisher(environment):
    environment.setenv("FASTDDS_DEFAULT_PROFILES_FILE", "/mine.xml")
    assert not input_diagnosis.lacks_profile("rmw_fastrtps_cpp")
    assert "for the publisher as well" in input_diagnosis.transport_hint("rmw_fastrtps_cpp", "/share/large.xml")


@pytest.mark.parametrize(("library", "variable"), fast_dds.VARIABLES.items())
def test_lacks_profile_other_variable_does_not_count(monkeypatch, tmp_path, library, variable):
    fast_dds.install(monkeypatch, tmp_path / "prefix", library)
    hint = input_diagnosis.transport_hint("rmw_fastrtps_cpp", "/share/large.xml")
    assert f" {variable}=/share/large.xml for this node" in hint
    for name in fast_dds.VARIABLES.values():
        monkeypatch.setenv(name, "/mine.xml")
        assert input_diagnosis.lacks_profile("rmw_fastrtps_cpp") == (name != variable)
        monkeypatch.delenv(name)


def test_transport_hint_small_shared_memory_is_named(environment):
    environment.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(total=2**26))
    assert "/dev/shm has only 64 MB" in input_diagnosis.transport_hint("rmw_fastrtps_cpp", "/share/large.xml")


def test_lacks_profile_other_middleware_is_false(environment):
    assert input_diagnosis.lacks_profile("rmw_fastrtps_cpp") and not input_diagnosis.lacks_profile("rmw_zenoh_cpp")


def test_full_name_unknown_node_is_described():
    assert full_name("/", "driver") == "/driver" and full_name("/left", "driver") == "/left/driver"
    assert full_name("_NODE_NAMESPACE_UNKNOWN_", "_NODE_NAME_UNKNOWN_") == UNNAMED  # as rmw calls it
