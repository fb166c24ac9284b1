# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The kernels under the sanitizers of the compiler: what the tests of the operators run must stay inside arrays."""

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.compiler, pytest.mark.timeout(1800)]
BOXES_AND_MASKS = ("test_nms.py", "test_decode.py", "test_vote_weights.py", "test_vote_masks.py", "test_painting.py")


@pytest.mark.parametrize("width", [2, 4, 8])
def test_cpu_kernels_on_maps_under_sanitizer_stay_inside_arrays(sanitized, monkeypatch, width):
    """``width`` is that of vectors of pairs: of SSE and NEON, AVX2, AVX-512, whatever this processor has."""
    monkeypatch.setenv("FCIS_HYPOTHESIS", "thorough")
    sanitized("not compiler", "test_assembly.py", width=width)


def test_other_cpu_kernels_under_sanitizer_stay_inside_arrays(sanitized, monkeypatch):
    monkeypatch.setenv("FCIS_HYPOTHESIS", "thorough")
    files = *BOXES_AND_MASKS, "test_network_input.py", "../test_column_runs.py"
    sanitized("not compiler", *files, chosen="not 4k_image and not large_picture")


def test_cuda_kernels_under_sanitizer_stay_inside_arrays(sanitized):
    chosen = "height or edge_sizes or any_count or any_size or wrong or missing_winners or (best_class and float16 and nchw)"
    sanitized("compiler", "test_assembly.py", *BOXES_AND_MASKS, chosen=chosen)
