# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""COCO AP, mAP^r and the report that shows them."""
