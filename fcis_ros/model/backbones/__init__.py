# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Backbones: images -> feature maps. ``backbone.py`` says what one is, ``choice.py`` makes the configured one."""
