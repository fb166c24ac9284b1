# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The folder of a run: one writer, one reader; merge, comparison, exports, report."""
