# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import threading
import time

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from fcis_ros.ros.frame_queue import OUTCOMES, FrameCounts, FrameQueue


def started(*sources: str, depth: int = 1) -> FrameQueue:
    inbox = FrameQueue(sources)
    inbox.start()
    for source in sources:
        inbox.open(source, depth)
    return inbox


def messages(frames) -> list:
    return [frame.message for frame in frames]


def test_queue_depth_one_keeps_newest():
    inbox = started("a")
    for message in (1, 2, 3):
        assert inbox.put("a", message)
    assert messages(inbox.take(9)) == [3]
    assert inbox.counts("a") == FrameCounts(received=3, overwritten=2, waiting=1)


def test_queue_full_drops_oldest():
    inbox = started("a", depth=3)
    for message in range(5):
        inbox.put("a", message)
    assert [messages(inbox.take(9))[0] for _ in range(3)] == [2, 3, 4]
    assert inbox.counts("a").overwritten == 2


def test_take_fast_source_does_not_starve_others():
    inbox = started("fast", "slow", "third", depth=50)
    for message in range(20):
        inbox.put("fast", f"fast {message}")
    inbox.put("slow", "slow 0")
    inbox.put("third", "third 0")
    inbox.put("slow", "slow 1")
    assert [messages(inbox.take(1))[0] for _ in range(5)] == ["fast 0", "slow 0", "third 0", "fast 1", "slow 1"]


def test_take_batch_has_one_frame_per_source_in_turn():
    inbox = started("a", "b", "c", depth=5)
    for source in "abc":
        inbox.put(source, source + "0")
        inbox.put(source, source + "1")
    assert messages(inbox.take(2)) == ["a0", "b0"]
    assert messages(inbox.take(2)) == ["c0", "a1"]
    assert messages(inbox.take(9)) == ["b1", "c1"]


def test_close_counts_waiting_and_awaits_work():
    inbox = started("a")
    inbox.put("a", 1)
    (frame,) = inbox.take(1)
    inbox.put("a", 2)
    assert not inbox.close("a", timeout=0.05)
    assert inbox.counts("a") == FrameCounts(received=2, overwritten=1, waiting=1)
    assert not inbox.put("a", 3)  # closed: not received
    threading.Timer(0.05, inbox.settle, (frame, "processed")).start()
    assert inbox.close("a", timeout=60)
    assert inbox.counts("a") == FrameCounts(received=2, overwritten=1, processed=1)


def test_stop_ends_take():
    inbox, taken = started("a"), []
    thread = threading.Thread(target=lambda: taken.append(inbox.take(1)))
    thread.start()
    inbox.stop()
    thread.join(timeout=60)
    assert taken == [None]


def test_queue_two_threads_count_every_frame():
    inbox, seen = started("a", "b"), []

    def consume():
        while (frames := inbox.take(2)) is not None:
            seen.extend(frames)
            for frame in frames:
                inbox.settle(frame, "processed")

    thread = threading.Thread(target=consume)
    thread.start()
    for message in range(5000):
        inbox.put("ab"[message % 2], message)
        if message % 500 == 0:
            time.sleep(0.001)
    assert inbox.close("ab", 10)
    inbox.stop()
    thread.join(timeout=60)
    for number, source in enumerate("ab"):
        counts = inbox.counts(source)
        taken = [frame.message for frame in seen if frame.source == source]
        assert counts.received == 2500 == counts.processed + counts.overwritten and len(taken) == counts.processed
        assert taken == sorted(taken) and all(message % 2 == number for message in taken)


class Account(RuleBasedStateMachine):
    """Whatever happens in whatever order: received is the sum of the rest."""

    def __init__(self):
        super().__init__()
        self.inbox = FrameQueue("ab")
        self.inbox.start()
        self.in_work = []

    @rule(source=st.sampled_from("ab"), depth=st.integers(1, 3))
    def open(self, source, depth):
        if self.inbox.counts(source).waiting == 0:
            self.inbox.open(source, depth)

    @rule(source=st.sampled_from("ab"))
    def put(self, source):
        self.inbox.put(source, object())

    @rule(limit=st.integers(1, 3))
    def take(self, limit):
        waiting = sum(self.inbox.counts(source).waiting for source in "ab")
        if waiting > len(self.in_work):  # else it would wait
            self.in_work += self.inbox.take(limit)

    @rule(outcome=st.sampled_from(OUTCOMES))
    def settle(self, outcome):
        if self.in_work:
            self.inbox.settle(self.in_work.pop(), outcome)

    @rule(source=st.sampled_from("ab"))
    def close(self, source):
        self.inbox.close(source, timeout=0)

    @invariant()
    def adds_up(self):
        for source in "ab":
            counts = self.inbox.counts(source)
            assert counts.received == sum(getattr(counts, name) for name in (*OUTCOMES, "waiting"))
            assert min(vars(counts).values()) >= 0


TestAccount = Account.TestCase


def test_frame_counts_text_names_every_outcome():
    assert str(FrameCounts(received=3, processed=2, stale=1)) == (
        "3 frames received: 2 processed, 0 overwritten, 0 rejected, 1 stale, 0 failed, 0 waiting"
    )
