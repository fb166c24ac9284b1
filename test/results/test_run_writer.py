# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""A folder that an interrupted evaluation left is completed, or refused where it is damaged; see also test_offline.py."""

import pytest
from bag_evaluations import Network, run

from fcis_ros.errors import InputError


@pytest.mark.parametrize("name", ["run.json", "frames.jsonl", "detections.json", "annotations.json"])
@pytest.mark.parametrize(
    ("content", "missing"), [(b"", True), (None, True), (bytes(range(256)) * 9, False), (b'{"a": 1}\n', False)]
)
def test_run_writer_damaged_folder_is_refused_or_completed(bag, annotations, tmp_path, name, content, missing):
    """Frames that are missing, in an empty or truncated frames.jsonl, are evaluated again."""
    run(bag, annotations, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(bag, annotations, tmp_path / "parts", Network(fails_at=7))
    file = tmp_path / "parts" / name
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2] if content is None else content)
    if name == "frames.jsonl" and missing:
        run(bag, annotations, tmp_path / "parts")
        assert file.read_bytes() == (tmp_path / "whole" / name).read_bytes()
    else:
        with pytest.raises(InputError, match=name):
            run(bag, annotations, tmp_path / "parts")
