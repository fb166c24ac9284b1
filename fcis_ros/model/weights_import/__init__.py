# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Weights of other programs: readers of their files, and the way from their names and orders to ours."""
