# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Every CPU kernel on random input under the sanitizers of the compiler."""

import subprocess
from pathlib import Path

import compiled
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.compiler
@pytest.mark.parametrize("width", [2, 4, 8])
def test_cpu_kernels_random_inputs_under_sanitizer_equal_slow_definition(width):
    """Every CPU kernel against slow.h on random shapes and boxes, odd and enormous ones too, built with ASan and UBSan.

    ``width`` is that of vectors of pairs: of SSE and NEON, AVX2, AVX-512, whatever this processor has.
    """
    kernels = [path for path in (ROOT / "csrc" / "cpu").glob("*.cpp") if not path.name.endswith("bindings.cpp")]
    sources = [ROOT / "test" / "ops" / "fuzz.cpp", *kernels]
    flags = ["-std=c++17", "-O1", "-g", "-ffp-contract=off", "-Wno-psabi", "-DFCIS_NO_CLONES", f"-DFCIS_WIDTH={width}"]
    flags += ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", f"-I{ROOT / 'csrc' / 'cpu'}"]
    program = compiled.build([(source, flags) for source in sources], ["-fsanitize=address,undefined"])
    done = subprocess.run([program, "400"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout == "400 rounds\n"
