# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The generated message classes from which the nodes build masks."""

from array import array

from sensor_msgs.msg import RegionOfInterest

from fcis_ros.messages.mask_messages import MaskMessageTypes
from fcis_ros.msg import InstanceMask, InstanceMaskArray

# An array.array goes into a generated message as it is; other sequences are checked element by element.
MASK_TYPES = MaskMessageTypes(InstanceMaskArray, InstanceMask, RegionOfInterest, lambda runs: array("I", runs.tobytes()))
