# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Short names of recordings: no folders of the machine, and different recordings stay different."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fcis_ros.results.short_names import short_names, without_folders

PATHS = st.lists(st.lists(st.sampled_from(["a", "b", "drive", "."]), min_size=1, max_size=4).map("/".join), max_size=5)


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        ([], []),
        (["/home/me/bags/drive"], ["drive"]),
        (["s3://bucket/drive/"], ["drive"]),
        (["/home/me/monday/drive", "/home/me/tuesday/drive"], ["monday/drive", "tuesday/drive"]),
        (["../drive", "/home/me/drive.mcap"], ["drive", "drive.mcap"]),
        (["/d/drive", "/d/drive"], ["drive", "drive"]),
        (["."], ["."]),
    ],
)
def test_short_names_are_as_long_as_needed(paths, names):
    assert short_names(paths) == names


@given(PATHS)
def test_short_names_any_paths_stay_different(paths):
    names = short_names(paths)
    different = {tuple(part for part in path.split("/") if part != ".") for path in paths}
    assert len(names) == len(paths) and len({*names}) >= len(different)


def test_without_folders_path_within_a_path_is_replaced_whole():
    text = "/home/me/drive/2/a.mcap: cut off; /home/me/drive: no images"
    assert without_folders(text, ["/home/me/drive", "/home/me/drive/2"]) == "2/a.mcap: cut off; drive: no images"
