# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import pytest
from cli_inputs import refused


@pytest.mark.ros
@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("rtsp://user:secret@127.0.0.1:1/live?key=secret", "stream rtsp://***@127.0.0.1:1/live...: cannot be opened"),
        ("/dev/video99", "camera /dev/video99: no such device"),
        ("clip.mp4", "clip.mp4: not a video"),
    ],
)
def test_demo_unusable_source_is_named_without_secrets(model, tmp_path, monkeypatch, capfd, source, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clip.mp4").write_bytes(b"not a video" * 1000)
    said = refused(capfd, ["demo", source, "--out", tmp_path / "out", "--checkpoint", model], says)
    assert "secret" not in said and not list(tmp_path.glob("out*"))


@pytest.mark.ros
def test_demo_folder_of_an_evaluation_is_not_replaced(model, tmp_path, capfd):
    """It has a report, as a demo has, and may have taken days."""
    (tmp_path / "out").mkdir()
    for name in ("run.json", "report.json", "report.html"):
        (tmp_path / "out" / name).write_text("{}")
    refused(capfd, ["demo", "--frames", "2", "--out", tmp_path / "out", "--checkpoint", model], "not an earlier result")
    assert len(list((tmp_path / "out").iterdir())) == 3
