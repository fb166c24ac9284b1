# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""A damaged file in the folder of an evaluation is refused in one line that names it, by every command that reads it."""

import json

import pytest
from bag_evaluations import change_json
from cli_inputs import refused

from fcis_ros.cli.main import main


def overwritten(text):
    """Other bytes behind the first third, as many as there were."""
    return lambda data: data[: len(data) // 3] + text + data[len(data) // 3 + len(text) :]


KINDS = {
    "empty": lambda data: b"",
    "truncated": lambda data: data[: len(data) // 2],
    "cut off in its last bytes": lambda data: data[:-3],
    "binary": lambda data: bytes(range(256)) * (len(data) // 256 + 1),
    "binary in the middle": overwritten(b"\xff\0\xfe"),
    "zeros in the middle": overwritten(bytes(40)),
    "another object": lambda data: b'{"a": 1}\n',
    "a list": lambda data: b"[1, 2, 3]\n",
    "a number": lambda data: b"3\n",
    "null": lambda data: b"null\n",
    "deeply nested": lambda data: b"[" * 100_000 + b"\n",
}
LISTS = ("run.json", "frames.jsonl", "detections.json", "unannotated.json", "annotations.json")
COMMANDS = {
    "report {folder}": LISTS[:2],
    "report {folder} --results": LISTS,
    "report {folder} --parquet {out}": LISTS[:4],
    "evaluate-merge {folder} --out {out}": (*LISTS, "timing.json"),
    "report {undamaged} --baseline {folder}": LISTS[:2],
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("command", "name"), [(command, name) for command, names in COMMANDS.items() for name in names])
def test_commands_damaged_file_is_named_in_one_line(folder, evaluation, tmp_path, capfd, command, name, kind):
    if "parquet" in command:
        pytest.importorskip("pyarrow")
    file, out = folder / name, tmp_path / "result"
    file.write_bytes(KINDS[kind](file.read_bytes()))
    assert main(command.format(folder=folder, undamaged=evaluation / "out", out=out).split()) == 2
    said = [line for line in capfd.readouterr().err.splitlines() if line.startswith("fcis: ")]
    assert len(said) == 1 and str(file) in said[0] and len(said[0]) < 500
    assert not out.exists() and not (folder / "results").exists()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "cut off in its last bytes"])
def test_live_damaged_file_is_named_in_one_line(folder, capfd, kind):
    change_json(folder / "run.json", lambda run: run["what"].update(mode="live"))
    measured = {"rate": None, "seconds": 2.0, "sent": [0.1 * i for i in range(12)], "latency_ms": [5.0] * 12}
    content = json.dumps({**measured, "stage_ms": {"network": 3.0}, "dropped": {"stale": 0}}).encode()
    (folder / "live.json").write_bytes(content)
    assert main(["report", str(folder)]) == 0
    capfd.readouterr()
    (folder / "live.json").write_bytes(KINDS[kind](content))
    refused(capfd, ["report", folder], folder / "live.json")


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
        lambda what: what.update(left_out={"drive": [3]}),
        lambda what: what.update(findings=[{"source": "a", "text": "b"}]),
    ],
)
@pytest.mark.parametrize("command", ["report", "evaluate-merge"])
def test_run_json_with_wrong_values_is_refused(folder, capfd, command, change):
    change_json(folder / "run.json", lambda run: change(run["what"]))
    refused(capfd, [command, folder], folder)
