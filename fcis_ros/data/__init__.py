# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Readers of annotations and of frames, and the writer of COCO instance files."""
