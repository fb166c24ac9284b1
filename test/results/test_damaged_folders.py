# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""A damaged file in the folder of an evaluation is refused in one line that names it, by every command that reads it."""

import json
import shutil

import pytest
from bag_evaluations import Network, run
from cli_inputs import refused

from fcis_ros.cli.main import main
from fcis_ros.errors import InputError


def in_the_middle(data: bytes, text: bytes) -> bytes:
    """Other bytes behind the first third, as many as there were."""
    at = len(data) // 3
    return data[:at] + text + data[at + len(text) :]


KINDS = {
    "empty": lambda data: b"",
    "truncated": lambda data: data[: len(data) // 2],
    "cut off in its last bytes": lambda data: data[:-3],
    "binary": lambda data: bytes(range(256)) * (len(data) // 256 + 1),
    "binary in the middle": lambda data: in_the_middle(data, b"\xff\0\xfe"),
    "zeros in the middle": lambda data: in_the_middle(data, bytes(40)),
    "another object": lambda data: b'{"a": 1}\n',
    "a list": lambda data: b"[1, 2, 3]\n",
    "a number": lambda data: b"3\n",
    "null": lambda data: b"null\n",
    "deeply nested": lambda data: b"[" * 100_000 + b"\n",
}
COMMANDS = {
    "report": ("run.json", "frames.jsonl"),
    "report --results": ("run.json", "frames.jsonl", "detections.json", "unannotated.json", "annotations.json"),
    "report --parquet": ("run.json", "frames.jsonl", "detections.json", "unannotated.json"),
    "evaluate-merge": ("run.json", "frames.jsonl", "detections.json", "unannotated.json", "annotations.json", "timing.json"),
    "baseline": ("run.json", "frames.jsonl"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("command", "name"), [(command, name) for command, names in COMMANDS.items() for name in names])
def test_commands_damaged_file_is_named_in_one_line(evaluation, tmp_path, capfd, command, name, kind):
    if command == "report --parquet":
        pytest.importorskip("pyarrow")
    folder = tmp_path / "out"
    shutil.copytree(evaluation / "out", folder)
    file = folder / name
    file.write_bytes(KINDS[kind](file.read_bytes()))
    arguments = {
        "report": ["report", folder],
        "report --results": ["report", folder, "--results"],
        "report --parquet": ["report", folder, "--parquet", tmp_path / "table.parquet"],
        "evaluate-merge": ["evaluate-merge", folder, "--out", tmp_path / "whole"],
        "baseline": ["report", evaluation / "out", "--baseline", folder],
    }[command]
    assert main([str(argument) for argument in arguments]) == 2
    said = [line for line in capfd.readouterr().err.splitlines() if line.startswith("fcis: ")]
    assert len(said) == 1 and str(file) in said[0] and len(said[0]) < 500
    assert not (tmp_path / "whole").exists() and not (tmp_path / "table.parquet").exists()
    assert not (folder / "results").exists()


@pytest.fixture
def live(evaluation, tmp_path):
    """The folder as one of a node that answered every frame."""
    folder = tmp_path / "out"
    shutil.copytree(evaluation / "out", folder)
    content = json.loads((folder / "run.json").read_text())
    content["what"]["mode"] = "live"
    (folder / "run.json").write_text(json.dumps(content))
    measured = {"rate": None, "seconds": 2.0, "sent": [0.1 * i for i in range(12)], "latency_ms": [5.0] * 12}
    (folder / "live.json").write_text(json.dumps({**measured, "stage_ms": {"network": 3.0}, "dropped": {"stale": 0}}))
    return folder


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "cut off in its last bytes"])
def test_report_damaged_live_json_is_named_in_one_line(live, capfd, kind):
    assert main(["report", str(live)]) == 0
    capfd.readouterr()
    file = live / "live.json"
    file.write_bytes(KINDS[kind](file.read_bytes()))
    refused(capfd, ["report", live], file)


@pytest.mark.parametrize(
    "change",
    [
        lambda what: what.update(class_names=["car"]),
        lambda what: what.update(shard=[2, 1]),
        lambda what: what.update(shard=[1, 10**15]),
        lambda what: what.update(score=float("nan")),
        lambda what: what.update(model={"name": 3, "sha256": "0"}),
        lambda what: what["bags"].clear(),
        lambda what: what["bags"][0].pop("topic"),
        lambda what: what.update(left_out=[3]),
    ],
)
@pytest.mark.parametrize("command", ["report", "evaluate-merge"])
def test_commands_run_json_with_wrong_values_is_refused(evaluation, tmp_path, capfd, command, change):
    shutil.copytree(evaluation / "out", tmp_path / "out")
    content = json.loads((tmp_path / "out/run.json").read_text())
    change(content["what"])
    (tmp_path / "out/run.json").write_text(json.dumps(content))
    refused(capfd, [command, tmp_path / "out"], tmp_path / "out")


@pytest.mark.parametrize("name", ["run.json", "frames.jsonl", "detections.json", "annotations.json"])
@pytest.mark.parametrize("kind", ["empty", "truncated", "binary", "another object"])
def test_evaluate_bag_resumed_in_damaged_folder_is_refused(bag, annotations, tmp_path, name, kind):
    """Frames that are missing are evaluated again; what cannot be mended is refused."""
    run(bag, annotations, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(bag, annotations, tmp_path / "parts", Network(fails_at=7))
    file = tmp_path / "parts" / name
    file.write_bytes(KINDS[kind](file.read_bytes()))
    if name == "frames.jsonl" and kind in ("empty", "truncated"):
        run(bag, annotations, tmp_path / "parts")
        assert file.read_bytes() == (tmp_path / "whole" / name).read_bytes()
    else:
        with pytest.raises(InputError, match=name):
            run(bag, annotations, tmp_path / "parts")


def test_report_results_of_another_recording_are_refused(evaluation, tmp_path, capfd, bags, scenes):
    shutil.copytree(evaluation / "out", tmp_path / "out")
    shorter = bags.write(scenes[0][:5], name="shorter")
    content = json.loads((tmp_path / "out/run.json").read_text())
    content["what"]["bags"][0]["path"] = str(shorter)
    (tmp_path / "out/run.json").write_text(json.dumps(content))
    assert main(["report", str(tmp_path / "out"), "--results"]) == 2
    assert f"fcis: {shorter}: has no frame 5, so it is not the recording" in capfd.readouterr().err
