# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Comparison of the folders of two evaluations."""

import pytest
from bag_evaluations import Network, change_json, run

from fcis_ros.errors import InputError
from fcis_ros.results.baseline import compare_with


def test_compare_with_worse_evaluation_is_a_regression(bag, annotations, tmp_path):
    good, bad = tmp_path / "good", tmp_path / "bad"
    run(bag, annotations, good)
    run(bag, annotations, bad, Network(blind=0.6))
    result = compare_with(bad, good / "report.json", 0.01)
    assert (result["baseline"], result["paired"], result["regressed"]) == (str(good / "report.json"), True, True)
    assert {"mask AP50": "worse"}.items() <= {change["measure"]: change["verdict"] for change in result["changes"]}.items()
    assert not compare_with(bad, good, 1.0)["regressed"]
    assert not compare_with(good, bad, 0.01)["regressed"]
    (good / "frames.jsonl").write_text("".join((good / "frames.jsonl").read_text().splitlines(keepends=True)[:9]))
    change_json(good / "run.json", lambda content: content.update(frames=9))
    assert not compare_with(bad, good, 0.01)["paired"]


def test_compare_with_unusable_baseline_is_refused(evaluation, tmp_path, bag):
    (tmp_path / "copied.json").write_text("{}")
    run(bag, None, tmp_path / "plain")
    for name, says in (
        ("none.json", "no such baseline"),
        ("copied.json", "no frames.jsonl next to it"),
        ("plain", "no annotated frame: nothing to compare"),
    ):
        with pytest.raises(InputError, match=f"{name}: {says}"):
            compare_with(evaluation / "out", tmp_path / name, 0.01)
    change_json(tmp_path / "plain/run.json", lambda content: content["what"].update(class_names=["boat", "pedestrian"]))
    with pytest.raises(InputError, match="plain: a model with other classes"):
        compare_with(evaluation / "out", tmp_path / "plain", 0.01)
