# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""One table of parameters; the files that it makes agree with it."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest

from fcis_ros.errors import InputError
from fcis_ros.messages.image_messages import ENCODINGS
from fcis_ros.structures import Instances

pytestmark = pytest.mark.ros
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def params():
    from fcis_ros.ros import params

    return params


def test_parameter_tables_are_up_to_date():
    tables = runpy.run_path(str(ROOT / "tools" / "write_parameter_tables.py"))
    assert (ROOT / "config" / "fcis_node.yaml").read_text() == tables["yaml_text"]()
    document = (ROOT / "docs" / "node.md").read_text()
    assert document == tables["with_table"](document)


def test_parameters_every_row_is_complete(params):
    names = [row.name for row in params.PARAMETERS]
    assert len(set(names)) == len(names) and params.SETTINGS == {row.name for row in params.PARAMETERS if not row.read_only}
    for row in params.PARAMETERS:
        assert row.description[-1] == "." and len(row.description) > 20, row.name
        if isinstance(row.default, (int, float)) and not isinstance(row.default, bool):
            assert row.limits[0] <= row.default <= row.limits[1], row.name
        if row.choices:
            assert row.default in row.choices, row.name


def test_documentation_names_every_encoding():
    table = (ROOT / "docs" / "node.md").read_text().split("## Encodings")[1].split("\n\n")[0]
    named = [name for line in table.splitlines()[1:] for name in re.findall(r"`(\w+)`", line.split("|")[1])]
    assert sorted(named) == sorted(ENCODINGS)


@pytest.mark.parametrize(("given", "names"), [([""], ("",)), ([], ("",)), (["front", "", "left_2"], ("front", "left_2"))])
def test_cameras_valid_names_are_kept(params, given, names):
    assert params.cameras(given) == names


@pytest.mark.parametrize("given", [["a b"], ["1st"], ["/front"], ["front", "front"], ["overlay"], ["~"]])
def test_cameras_bad_name_is_refused(params, given):
    with pytest.raises(InputError, match="parameter cameras"):
        params.cameras(given)


def test_settings_keep_selects_by_score_class_and_number(params):
    found = Instances(
        9, 9, np.tile(np.array([[0, 0, 1, 1]], np.int32), (4, 1)), np.array([0.9, 0.8, 0.6, 0.4], np.float32),
        np.array([1, 2, 1, 1]), tuple(np.array([0, 1], np.uint32) for _ in range(4)), ("car", "pedestrian"),
    )  # fmt: skip

    def scores(**changes):
        values = {row.name: row.default for row in params.PARAMETERS if row.name in params.SETTINGS} | {"classes": ()} | changes
        return [round(float(score), 1) for score in found.scores[params.Settings(**values).keep(found)]]

    assert scores() == [0.9, 0.8, 0.6]
    assert scores(score_threshold=0.0, classes=("car",)) == [0.9, 0.6, 0.4]
    assert scores(max_instances=1) == [0.9] and scores(score_threshold=1.0) == []
