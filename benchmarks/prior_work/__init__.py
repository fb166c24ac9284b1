# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""What the patent argues from, beside FCIS: the per-ROI sub-network of MNC ([0004]), InstanceFCN's windows ([0005], [0024])."""
