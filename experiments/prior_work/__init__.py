# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Prior work of the patent: the per-ROI sub-network of MNC ([0004]) and InstanceFCN's windows ([0005], [0024])."""
