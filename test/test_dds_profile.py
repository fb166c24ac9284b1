# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import fast_dds
import pytest

from fcis_ros.dds_profile import profile_variable


@pytest.mark.parametrize(("library", "variable"), fast_dds.VARIABLES.items())
def test_profile_variable_depends_on_library_of_first_prefix_with_fast_dds(monkeypatch, tmp_path, library, variable):
    fast_dds.install(monkeypatch, tmp_path / "underlay", library)
    assert profile_variable() == variable
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"{tmp_path}:{tmp_path / 'underlay'}")  # an overlay without Fast DDS
    assert profile_variable() == variable


@pytest.mark.parametrize("path", ["", ":", "/nowhere"])
def test_profile_variable_without_fast_dds_is_new_name(monkeypatch, path):
    monkeypatch.setenv("AMENT_PREFIX_PATH", path)
    assert profile_variable() == "FASTDDS_DEFAULT_PROFILES_FILE"
