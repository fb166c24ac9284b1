# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import pytest

from fcis_ros import package_data
from fcis_ros.errors import InputError


@pytest.mark.parametrize("folder", ["config/models", "fcis_ros/models", "share/fcis_ros/config/models"])
def test_package_file_in_the_sources_or_installed_by_pip_or_colcon(tmp_path, monkeypatch, folder):
    module = tmp_path / "fcis_ros" / "shipped.py"
    module.parent.mkdir()
    module.touch()
    monkeypatch.setattr(package_data, "__file__", str(module))
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"/nowhere:{tmp_path}")
    file = tmp_path / folder / "some.json"
    file.parent.mkdir(parents=True)
    file.touch()
    assert package_data.package_file("config/models", "some.json") == file
    with pytest.raises(InputError, match="other.json: not found in .*config/models"):
        package_data.package_file("config/models", "other.json")
