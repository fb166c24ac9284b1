# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import shutil
from types import SimpleNamespace

import fast_dds
import pytest

from fcis_ros.dds_profile import profile_variable
from fcis_ros.ros import input_diagnosis
from fcis_ros.ros.input_diagnosis import UNNAMED, Publisher, full_name

IMAGE = "sensor_msgs/msg/Image"
GOOD = Publisher("/driver", IMAGE, "")


def diagnose(publishers=(), received=0, elsewhere=(), hint=""):
    return input_diagnosis.diagnose("/image", IMAGE, publishers, received, 3.4, elsewhere, hint)


def test_diagnose_no_publisher_names_topic():
    assert diagnose() == input_diagnosis.Finding("no_publisher", "no image for 3 s: /image has no publisher")
    assert diagnose(elsewhere=["/front/image_raw"]).text.endswith("images are published on /front/image_raw: remap the input")


def test_diagnose_other_type_is_error():
    finding = diagnose([Publisher("/talker", "std_msgs/msg/String", "")])
    assert (finding.kind, finding.error) == ("wrong_type", True)
    assert "/talker publishes /image as std_msgs/msg/String, sensor_msgs/msg/Image is needed" in finding.text


def test_diagnose_incompatible_qos_is_error():
    finding = diagnose([Publisher("/driver", IMAGE, "ERROR: Best effort publisher and reliable subscription")])
    assert (finding.kind, finding.error) == ("incompatible_qos", True)
    assert "/driver on /image does not match (ERROR: Best effort publisher" in finding.text and "input_qos" in finding.text


def test_diagnose_one_matching_publisher_is_enough():
    assert diagnose([Publisher("/other", IMAGE, "no"), GOOD]).kind == "nothing_received"


def test_diagnose_nothing_received_gives_hint():
    finding = diagnose([GOOD], hint="look there")
    assert finding.kind == "nothing_received" and not finding.error
    assert finding.text == "no image for 3 s: /driver is connected on /image, but nothing arrives; look there"


def test_diagnose_stopped_publisher_is_named():
    assert diagnose([GOOD], received=7).text == "no image for 3 s on /image: /driver has stopped publishing"


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
    assert profile_variable() == variable
    assert f" {variable}=/share/large.xml for this node" in input_diagnosis.transport_hint(
        "rmw_fastrtps_cpp", "/share/large.xml"
    )
    for name in fast_dds.VARIABLES.values():
        monkeypatch.setenv(name, "/mine.xml")
        assert input_diagnosis.lacks_profile("rmw_fastrtps_cpp") == (name != variable)
        monkeypatch.delenv(name)


@pytest.mark.parametrize("path", ["", ":", "/nowhere"])
def test_profile_variable_without_fast_dds_is_new_name(monkeypatch, path):
    monkeypatch.setenv("AMENT_PREFIX_PATH", path)
    assert profile_variable() == "FASTDDS_DEFAULT_PROFILES_FILE"


def test_profile_variable_overlay_uses_underlay(monkeypatch, tmp_path):
    fast_dds.install(monkeypatch, tmp_path / "jazzy", "libfastrtps.so.2.14")
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"{tmp_path}:{tmp_path / 'jazzy'}")
    assert profile_variable() == "FASTRTPS_DEFAULT_PROFILES_FILE"


def test_transport_hint_small_shared_memory_is_named(environment):
    environment.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(total=2**26))
    assert "/dev/shm has only 64 MB" in input_diagnosis.transport_hint("rmw_fastrtps_cpp", "/share/large.xml")


def test_lacks_profile_other_middleware_is_false(environment):
    assert input_diagnosis.lacks_profile("rmw_fastrtps_cpp") and not input_diagnosis.lacks_profile("rmw_zenoh_cpp")


def test_full_name_unknown_node_is_described():
    assert full_name("/", "driver") == "/driver" and full_name("/left", "driver") == "/left/driver"
    assert full_name("_NODE_NAMESPACE_UNKNOWN_", "_NODE_NAME_UNKNOWN_") == UNNAMED  # as rmw calls it
