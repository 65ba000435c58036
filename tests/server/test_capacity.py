"""What one more live session would do to those that play, by what is measured."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.server.capacity import FIRST_COST_S, WAKE_S, Capacity, Claim, Delay, Overhead
from ostinato.server.cost import RunningCost, StepCost
from ostinato.server.departures import GRID_S
from tests.server.serving import serving


@dataclass(frozen=True)
class Model:
    cost: RunningCost


def running(each: float = 0.1, voices: int = 16) -> RunningCost:
    return RunningCost(StepCost(tuple((n, each * n) for n in range(1, voices + 1))))


def capacity(overhead: Overhead | None = None, delay: Delay | None = None, departures_s: float = GRID_S) -> Capacity:
    models = {"m": Model(running()), "n": Model(running())}
    return Capacity(models, overhead or Overhead(), delay or Delay(), departures_s)


def claims(count: int, model: str = "m", block_s: float = 0.04, lead_s: float = 0.2) -> list[Claim]:
    return [Claim(model, 1, block_s, lead_s)] * count


def test_models_share_real_time_and_what_was_not_measured_is_not_promised() -> None:
    assert capacity().suffices([], 0.0)
    assert capacity().suffices(claims(8), 0.0)
    assert not capacity().suffices(claims(10), 0.0)
    assert capacity().suffices(claims(4) + claims(4, "n"), 0.0)
    assert not capacity().suffices(claims(5) + claims(5, "n"), 0.0)
    assert math.isinf(capacity().steps_rtf(claims(17), 0.0))


def test_a_short_lead_makes_everybody_dearer() -> None:
    overhead = Overhead()
    for _ in range(1000):
        overhead.delivered(0.0, -0.0002, 1.0)
    assert capacity(overhead).suffices(claims(8), 0.0)
    assert not capacity(overhead).suffices([*claims(7), *claims(1, block_s=0.005, lead_s=0.02)], 0.0)


def test_what_the_event_loop_takes_is_time_that_a_short_lead_has_not() -> None:
    delay = Delay()
    assert capacity(delay=delay).suffices(claims(2, block_s=0.0087, lead_s=0.02), 0.0)
    delay.seen(0.008, 1.0)
    assert not capacity(delay=delay).suffices(claims(2, block_s=0.0087, lead_s=0.02), 1.0)
    assert capacity(delay=delay).suffices(claims(8), 1.0)


def test_waiting_for_a_departure_is_counted_where_there_is_such_a_wait() -> None:
    three = claims(3, block_s=0.0087, lead_s=0.02)
    assert not capacity().suffices(three, 0.0)
    assert capacity(departures_s=0.0).suffices(three, 0.0)
    with serving(paced=False) as unpaced, serving() as paced:
        charged = [served.engine._attendance._admission._capacity._departures_s for served in (unpaced, paced)]
    assert charged == [0.0, GRID_S]


@given(st.lists(st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 0.1)), min_size=1, max_size=50))
def test_the_longest_delay_is_foreseen_and_forgotten_in_time(seen: list[tuple[float, float]]) -> None:
    delay, now = Delay(), 0.0
    for after, seconds in seen:
        now += after
        delay.seen(seconds, now)
        assert delay.foreseen_s(0, now) >= min(0.02, seconds)
    assert WAKE_S <= delay.foreseen_s(0, now) <= 0.02
    assert delay.foreseen_s(0, now + 100.0) == WAKE_S < delay.foreseen_s(9, now + 100.0)


def test_what_is_done_beside_steps_is_shared_by_the_sessions_of_the_next_block() -> None:
    overhead, now = Overhead(10.0), 10.0
    for _ in range(1000):
        overhead.rested(now + 0.001, now + 0.005)  # 1 ms of work, then sleep
        now += 0.005
        overhead.delivered(now + 0.006, 0.003, 4)  # and 3 ms beside a step of 3
        now += 0.006
    assert overhead.seconds == pytest.approx((0.001 + 0.003) / 4, rel=0.01)
    assert Overhead().seconds == FIRST_COST_S


def test_what_is_done_while_nobody_is_there_is_for_no_block() -> None:
    overhead = Overhead(0.0)
    for second in range(3600):
        overhead.rested(second + 0.5, second + 1.0)
        overhead.idle(second + 1.0)
    overhead.delivered(3600.0001, 0.0, 1.0)
    assert overhead.seconds == pytest.approx(FIRST_COST_S, rel=0.1)


def test_the_running_cost_follows_what_is_drawn_and_forgets_it() -> None:
    cost = running()
    for _ in range(200):
        cost.drawn(4, 0.6 * 0.1, 0.1, 5.0)  # half as much again as 0.4
    assert cost.rtf(8, 5.0) == pytest.approx(1.2, rel=0.02)
    assert cost.rtf(8, 5.0 + 100.0) == pytest.approx(0.8, rel=0.01)
    cost.drawn(99, 1.0, 0.1, 5.0)  # was never measured: tells nothing
    assert cost.rtf(8, 105.0) == pytest.approx(0.8, rel=0.01)


@given(st.lists(st.tuples(st.integers(1, 16), st.floats(0.0, 100.0)), max_size=50))
def test_no_measurement_keeps_anybody_out_for_long(drawn: list[tuple[int, float]]) -> None:
    cost = running()
    for voices, seconds in drawn:
        cost.drawn(voices, seconds, 0.05, 0.0)
    assert 0.0 <= cost.drift(0.0) <= 3.0
    assert cost.drift(60.0) == pytest.approx(1.0, abs=0.01)
