# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The recipe of the default checkpoint, one change at a time, on a drive that is held out of training."""
