# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import pytest

pytestmark = pytest.mark.ros


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["node"], False),
        (["node", "-h"], True),
        (["node", "--help", "--ros-args", "-p", "a:=1"], True),
        (["node", "--ros-args", "-r", "--help"], False),
        (["node", "--ros-args", "-p", "a:=1", "--", "-h"], True),
        (["--help"], False),
    ],
)
def test_asked_words_of_ros_do_not_count(arguments, expected):
    from fcis_ros.ros import usage

    assert usage.asked(arguments) == expected


def test_usage_has_default_and_values_of_every_parameter():
    from fcis_ros.ros import params, usage

    text = usage.usage("fcis_node", "A node.", "image  in: images", params.PARAMETERS)
    assert "  score_threshold (default 0.5; 0.0 to 1.0)\n      Minimum score of published instances." in text
    assert "  transport (default auto; one of auto, raw, compressed)\n" in text and "\n  image  in: images\n" in text
    assert max(map(len, text.splitlines())) <= 120
