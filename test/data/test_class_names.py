# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fcis_ros.data.class_names import class_key, match_classes, similar_name
from fcis_ros.errors import InputError

NAMES = st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=5, unique_by=class_key)


@pytest.mark.parametrize(
    "name",
    ["Traffic Light", " traffic light ", "traffic\u00a0light", "traffic  light", "TRAFFIC\u3000LIGHT", "traffic light\u200b"],
)
def test_match_classes_case_and_blanks_make_no_difference(name):
    assert match_classes([name], ["car", "traffic light"], "a.json") == [2]


def test_match_classes_unicode_forms_make_no_difference():
    assert match_classes(["fußga\u0308nger", "FUSSGÄNGER"], ["Fußg\u00e4nger"], "a.json") == [1, 1]


def test_match_classes_exact_name_comes_first():
    assert match_classes(["Car", "car", "bus"], ["car", "Car"], "a.json") == [2, 1, None]


def test_match_classes_ambiguous_name_is_refused():
    with pytest.raises(InputError, match="a.json: class 'CAR' may be any of the model's classes car, Car"):
        match_classes(["CAR"], ["car", "Car"], "a.json")


@given(NAMES, NAMES)
def test_match_classes_is_symmetric(names, others):
    forward = {(i, label - 1) for i, label in enumerate(match_classes(names, others, "")) if label}
    assert forward == {(label - 1, i) for i, label in enumerate(match_classes(others, names, "")) if label}


@given(NAMES)
def test_match_classes_same_names_are_found(names):
    assert match_classes(names, names, "") == list(range(1, len(names) + 1))
    assert match_classes([f" {name.upper().lower()} " for name in names if name.isascii()], names, "") == [
        i for i, name in enumerate(names, start=1) if name.isascii()
    ]


@pytest.mark.parametrize(("name", "found"), [("pedestrain", "Pedestrian"), ("pedestrians", "Pedestrian"), ("dog", None)])
def test_similar_name_suggests_a_misspelling(name, found):
    assert similar_name(name, ["car", "Pedestrian"]) == found
