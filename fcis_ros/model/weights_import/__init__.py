# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Weights of other programs: readers of their files, and the conversion of names and orders."""
