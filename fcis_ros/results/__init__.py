# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The folder of an evaluation: written, read, merged, compared, shown."""
