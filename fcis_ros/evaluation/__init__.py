# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Predictions for images, recordings, live nodes and Ray, from one specification into one run folder."""
