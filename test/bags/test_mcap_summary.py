# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The summary of an MCAP file names its chunks; one that is damaged is not used."""

from hypothesis import given
from hypothesis import strategies as st

from fcis_ros.bags.mcap_integrity import CHUNK, MAGIC, records
from fcis_ros.bags.mcap_summary import Summary


def test_summary_names_the_chunks_and_channels_of_the_file(bags):
    storage = bags.camera(4000) / "bag.mcap"
    end = storage.stat().st_size - len(MAGIC)
    with storage.open("rb") as file:
        chunks = [(offset, 9 + length) for offset, opcode, length in records(file, len(MAGIC), end) if opcode == CHUNK]
        summary = Summary.read(file, end)
        assert [entry[:2] for entry in summary.chunks] == chunks and len(summary.definitions) == 2
        assert Summary.read(file, end - 1) == Summary.read(file, 3) == Summary()


def test_summary_any_damage_gives_a_summary(bags):
    storage = bags.camera(3) / "bag.mcap"
    whole = storage.read_bytes()

    @given(st.integers(1, 900), st.binary(min_size=1, max_size=12))
    def check(back, change):
        at = max(0, len(whole) - back)
        storage.write_bytes(whole[:at] + change + whole[at + len(change) :])
        with storage.open("rb") as file:
            assert isinstance(Summary.read(file, storage.stat().st_size - len(MAGIC)), Summary)

    check()
