# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
from hypothesis import given
from hypothesis import strategies as st

from fcis_ros.ros.frame_queue import OUTCOMES
from fcis_ros.ros.played_frames import DROPPED, QUIET, PlayedFrames


def counts(waiting: int = 0, lost: int = 0, **outcomes: int) -> dict[str, str]:
    """The counts of a camera in the diagnostics of its node."""
    values = dict.fromkeys(OUTCOMES, 0) | outcomes
    values |= {"waiting": waiting, "received": sum(values.values()) + waiting}
    return {f"frames_{name}": str(value) for name, value in values.items()}


def sent(number: int) -> PlayedFrames:
    frames = PlayedFrames()
    frames.add_counts(counts(processed=7, rejected=2))  # of another source, before
    for stamp in range(number):
        frames.add_sent(stamp)
    return frames


def test_played_frames_masks_settle_frames_before_the_counts():
    frames = sent(3)
    assert frames.unsettled == 3
    frames.add_masks(0)
    frames.add_masks(99)  # of another source
    assert (frames.unsettled, frames.answered) == (2, 1)
    frames.add_counts(counts(processed=10, rejected=2))  # the other masks are on their way
    assert frames.unsettled == 0 and str(frames) == "3 frames sent, 3 answered, 0 lost"


def test_played_frames_reasons_are_named():
    frames = sent(10)
    frames.add_counts(counts(processed=10, rejected=3, overwritten=4, stale=1))
    assert str(frames) == "10 frames sent, 3 answered, 6 lost (4 overwritten, 1 rejected, 1 stale), 1 not answered yet"


def test_played_frames_unreceived_are_given_up_after_quiet_statuses():
    frames = sent(5)
    for stamp in range(4):
        frames.add_masks(stamp)
    for _ in range(QUIET + 1):
        frames.add_counts(counts(processed=11, rejected=2, waiting=1))
    assert frames.unsettled == 1  # as long as the node has work
    for _ in range(QUIET + 1):
        assert frames.unsettled
        frames.add_counts(counts(processed=11, rejected=2))
    assert frames.unsettled == 0 and frames.lost == 1
    frames.add_sent(5)  # those that are given up take no room of later ones
    assert frames.unsettled == 1
    frames.add_masks(5)
    assert frames.unsettled == 0 and str(frames) == "6 frames sent, 5 answered, 1 lost (1 lost on the way)"


@given(
    outcomes=st.lists(st.sampled_from([*OUTCOMES, "on the way"]), max_size=30),
    heard=st.lists(st.booleans(), min_size=30, max_size=30),
)
def test_played_frames_account_adds_up(outcomes, heard):
    """Whatever becomes of the frames, and whichever masks arrive in time: in the end every frame has one outcome."""
    frames, totals = sent(0), dict.fromkeys(OUTCOMES, 0) | {"processed": 7, "rejected": 2}
    for stamp, (outcome, hears) in enumerate(zip(outcomes, heard, strict=False)):
        frames.add_sent(stamp)
        if outcome in totals:
            totals[outcome] += 1
        if outcome == "processed" and hears:
            frames.add_masks(stamp)
        assert frames.unsettled >= 0 and frames.lost >= 0 and frames.answered + frames.lost + frames.unsettled == frames.sent
    for _ in range(QUIET + 2):
        frames.add_counts(counts(**totals))
    assert frames.unsettled == 0 and frames.answered == outcomes.count("processed")
    assert all((f"{outcomes.count(name)} {name}" in str(frames)) == (name in outcomes) for name in DROPPED)
    assert ("lost on the way" in str(frames)) == ("on the way" in outcomes)
