from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.clients.playhead import Playhead

RATE = 1000


def test_it_starts_with_a_little_in_hand_and_plays_by_the_clock() -> None:
    head = Playhead(RATE, in_hand_s=0.1)
    head.arrive(99, now=5.0)
    assert head.position(6.0) == 0
    head.arrive(101, now=6.0)
    assert (head.position(6.0), head.position(6.125), head.position(9.0)) == (0, 125, 200)
    assert head.buffered_s(6.125) == 0.075
    assert (head.underruns, head.least_buffered_s) == (0, math.inf)


def test_running_dry_is_counted_once_and_it_starts_again_where_it_stopped() -> None:
    head = Playhead(RATE, in_hand_s=0.1)
    head.arrive(200, now=0.0)
    head.arrive(50, now=0.5)  # 0.3 s after it ran dry
    assert head.underruns == 1
    assert head.least_buffered_s == pytest.approx(-0.3)
    assert head.position(10.0) == 200
    head.arrive(50, now=0.625)
    assert head.position(0.6875) == 262
    assert head.underruns == 1


def test_the_least_that_was_buffered_is_kept() -> None:
    head = Playhead(RATE, in_hand_s=0.1)
    for now, samples in ((0.0, 200), (0.1, 100), (0.25, 100), (0.26, 100)):
        head.arrive(samples, now)
    assert head.least_buffered_s == pytest.approx(0.05)
    assert head.underruns == 0


def test_when_a_sample_is_heard_is_known_once_it_is_there_and_the_playhead_runs() -> None:
    head = Playhead(RATE, in_hand_s=0.1)
    head.arrive(50, now=1.0)
    assert head.when(0) is None
    head.arrive(100, now=1.5)
    assert (head.when(0), head.when(125), head.when(150)) == (1.5, 1.625, None)
    head.arrive(50, now=2.0)  # it ran dry at sample 150
    assert (head.when(125), head.when(150)) == (None, None)
    head.arrive(50, now=3.0)
    assert (head.when(149), head.when(150), head.when(200)) == (None, 3.0, 3.05)


def test_it_is_dry_once_all_that_came_was_heard_until_it_waits_for_more() -> None:
    head = Playhead(RATE, in_hand_s=0.1)
    assert not head.dry(9.0)
    head.arrive(125, now=1.0)
    assert (head.dry(1.0), head.dry(1.0625), head.dry(1.125), head.dry(9.0)) == (False, False, True, True)
    head.arrive(50, now=2.0)
    assert not head.dry(9.0)


@given(st.lists(st.tuples(st.integers(1, 500), st.floats(0.0, 1.0)), min_size=1, max_size=50))
def test_it_never_plays_what_has_not_arrived_and_never_goes_back(arrivals: list[tuple[int, float]]) -> None:
    head, now, arrived, last = Playhead(RATE, in_hand_s=0.1), 0.0, 0, 0
    for samples, wait in arrivals:
        now += wait
        head.arrive(samples, now)
        arrived += samples
        for later in (0.0, 0.01, 10.0):
            assert last <= head.position(now + later) <= arrived
        last = head.position(now)
        assert head.buffered_s(now) >= 0.0
