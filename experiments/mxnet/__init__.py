# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The original in MXNet 1.9.1 compared with this package."""
