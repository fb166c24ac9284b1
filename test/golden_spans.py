# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Bins of the released code."""

# Extents in image pixels and the cells of their 21 spans at stride 16, from psroi_pooling.cu run on them.
GOLDEN = {
    (0, 335): (range(0, 21), range(1, 22)),
    (137, 469): (range(8, 29), range(10, 31)),
    (0, 47): ([0] * 7 + [1] * 7 + [2] * 7, [1] * 7 + [2] * 7 + [3] * 6 + [4]),  # exact arithmetic would end at 3
    (5, 5): ([0] * 21, [1] * 21),
}
