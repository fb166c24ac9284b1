# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import hashlib
import tracemalloc

import pytest

from fcis_ros.errors import InputError
from fcis_ros.files import CHUNK, file_digest


@pytest.mark.parametrize("size", [0, 5, CHUNK, 2 * CHUNK + 3])
def test_file_digest_is_sha256_of_the_content(tmp_path, size):
    content = bytes(range(256)) * (size // 256 + 1)
    (tmp_path / "file").write_bytes(content[:size])
    assert file_digest(tmp_path / "file") == hashlib.sha256(content[:size]).hexdigest()


def test_file_digest_large_file_is_not_held_in_memory(tmp_path):
    with open(tmp_path / "large.pt2", "wb") as file:
        file.truncate(50 * CHUNK)
    tracemalloc.start()
    try:
        file_digest(tmp_path / "large.pt2")
        assert tracemalloc.get_traced_memory()[1] < 4 * CHUNK
    finally:
        tracemalloc.stop()


def test_file_digest_unreadable_file_is_named(tmp_path):
    with pytest.raises(InputError, match="missing: cannot be read"):
        file_digest(tmp_path / "missing")
    with pytest.raises(InputError, match="cannot be read"):
        file_digest(str(tmp_path))
