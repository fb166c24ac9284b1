# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from fcis_ros.results.json_shapes import fits

SHAPE = {"a": int, "b": [float], "c": [[int]], "d": (str, None), "e": [{"f": bool}], "g": dict}
VALUE = {"a": 1, "b": [0.5, 2], "c": [[1, 2], []], "d": None, "e": [{"f": True}], "g": {}, "more": 3}


def test_fits_value_of_the_shape_is_accepted():
    assert fits(VALUE, SHAPE) and fits({**VALUE, "d": "text", "b": [], "c": []}, SHAPE)


@pytest.mark.parametrize("key", SHAPE)
def test_fits_missing_key_is_refused(key):
    assert not fits({name: value for name, value in VALUE.items() if name != key}, SHAPE)


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        ("a", "1"), ("a", True), ("a", 1.0), ("a", None), ("a", str(2**63)), ("a", 2**63), ("a", -(2**63) - 1),
        ("b", 0.5), ("b", [True]), ("b", ["x"]), ("b", [float("nan"), 1]), ("b", [1, float("inf")]), ("b", [1e300]),
        ("b", [float("nan"), 10**400]),
        ("c", [1]), ("c", [[0.5]]), ("c", [[1], None]), ("d", 3), ("e", [{}]), ("e", [{"f": 1}]),
        ("e", {}), ("g", []),
    ],
)  # fmt: skip
def test_fits_wrong_type_is_refused(key, wrong):
    assert not fits({**VALUE, key: wrong}, SHAPE)


@pytest.mark.parametrize("value", [None, 3, "text", [], [VALUE]])
def test_fits_other_than_object_is_refused(value):
    assert not fits(json.loads(json.dumps(value)), SHAPE)
