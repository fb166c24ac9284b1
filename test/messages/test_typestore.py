# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import struct

from fcis_ros.messages.typestore import header_stamp


def test_header_stamp_big_endian_or_short_message():
    assert header_stamp(b"\0\0\0\0" + struct.pack(">iI", -1, 250_000_000)) == -750_000_000
    assert header_stamp(bytes(11)) is None
