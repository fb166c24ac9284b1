# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Detections against ground truth: matching, average precision, track scores."""
