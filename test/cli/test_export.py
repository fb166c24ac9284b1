# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import pytest
from cli_inputs import refused

from fcis_ros.cli.main import main


def test_export_unusable_output_is_refused(model, tmp_path, capfd):
    for out, says in (("model.pt", "the name has to end with .pt2"), ("nowhere/model.pt2", "there is no folder")):
        refused(capfd, ["export", model, tmp_path / out, "--size", "64x48"], out, says)


@pytest.mark.parametrize("size", ["64", "64x", "1x48", "64x32769", "-64x48"])
def test_export_size_out_of_range_is_refused(model, tmp_path, capsys, size):
    with pytest.raises(SystemExit):
        main(["export", str(model), str(tmp_path / "model.pt2"), f"--size={size}"])
    assert f"{size} is not WIDTHxHEIGHT with sides of 2 to 32768 pixels" in capsys.readouterr().err
