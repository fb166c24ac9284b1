# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import time

import pytest

from fcis_ros.data.decoding_threads import in_threads


def test_in_threads_results_are_in_order(capsys):
    assert list(in_threads(lambda number: -number, range(200), "check")) == [-number for number in range(200)]
    assert "check: 100%" in capsys.readouterr().err
    assert list(in_threads(abs, [-7], "check")) == [7] and not capsys.readouterr().err


def test_in_threads_error_cancels_what_waits():
    seen = []

    def check(number):
        seen.append(number)
        time.sleep(0.001)
        raise ValueError("damaged")

    with pytest.raises(ValueError, match="damaged"):
        list(in_threads(check, range(100_000), "check"))
    assert len(seen) < 100_000
