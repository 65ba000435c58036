"""When live audio is due: by the listener's clock, whatever drawing took."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.server.departures import GRID_S, point_after
from ostinato.server.pacing import Pacing

RATE, HOP, FRAME = 44100, 64, 13
leads = st.one_of(st.just(20.0), st.just(200.0), st.floats(20.0, 1000.0))


def departures(lead_ms: float, draws: list[float]) -> list[float]:
    """When each block leaves to one that plays without a gap, where drawing them takes these shares of real time."""
    pacing = Pacing(lead_ms, FRAME, HOP, RATE)
    now, clock, at = 100.0, 0, []
    held: list[tuple[float, int]] = []

    def pass_to(time: float) -> None:
        while held and held[0][0] <= time:
            leaves, samples = held.pop(0)
            pacing.playhead.deliver(samples, leaves)

    for draw in draws:
        while True:
            pass_to(now)
            wish = pacing.wish(clock, 10**6, now)
            if wish.room >= wish.block:
                break
            wakes = pacing.wakes_at(clock, 10**6, now)
            now = max(
                now, min([time for time in (wakes, *(leaves for leaves, _ in held[:1])) if time is not None]) + 1e-9
            )
        samples = wish.block * HOP
        now += draw * samples / RATE
        clock += samples
        held.append((pacing.leaves_at(clock, now), samples))
        at.append(held[-1][0])
    return at


@given(leads, st.lists(st.floats(0.001, 0.06), min_size=40, max_size=40))
def test_how_long_drawing_takes_does_not_show(lead_ms: float, draws: list[float]) -> None:
    assert departures(lead_ms, draws) == departures(lead_ms, [0.001] * len(draws))


@given(leads, st.lists(st.floats(0.0, 1.5), min_size=5, max_size=40))
def test_what_is_late_leaves_with_the_next_point_of_the_grid_and_in_order(lead_ms: float, draws: list[float]) -> None:
    at = departures(lead_ms, draws)
    assert at == sorted(at)
    assert at == [point_after(time) for time in at]


@given(st.floats(0.0, 1e6))
def test_a_point_is_the_first_that_is_not_before(at: float) -> None:
    point = point_after(at)
    assert -2e-6 < point - at < GRID_S
    assert point_after(point) == point


def test_one_that_is_late_moves_those_after_it_so_that_lateness_shows_once() -> None:
    steady = departures(200.0, [0.05] * 40)
    late = departures(200.0, [0.05] * 20 + [1.2] + [0.05] * 19)
    again = departures(200.0, [0.05] * 20 + [1.2] + [0.05, 1.2] * 9 + [0.05])
    assert late[:20] == steady[:20]
    moved = {round((a - b) / GRID_S) for a, b in zip(late[20:], steady[20:], strict=True)}
    assert min(moved) > 0
    assert len(moved) <= 2  # by the grid's rounding
    assert max(abs(a - b) for a, b in zip(again, late, strict=True)) < 1.5 * GRID_S


@pytest.mark.parametrize("pause_s", [0.03, 0.12, 1.0])
def test_a_pause_is_no_lateness(pause_s: float) -> None:
    pacing, now, clock = Pacing(200.0, FRAME, HOP, RATE), 100.0, 0

    def play(blocks: int) -> list[float]:
        """How long each block is held beyond the time at which it was wanted."""
        nonlocal now, clock
        held = list[float]()
        while len(held) < blocks:
            wish = pacing.wish(clock, 10**6, now)
            if wish.room < wish.block:
                now += 0.001
                continue
            clock += wish.block * HOP
            leaves = pacing.leaves_at(clock, now)
            wanted = pacing.playhead.when(clock - round(0.2 * RATE))
            now = leaves
            pacing.playhead.deliver(wish.block * HOP, leaves)
            held.append(leaves - (leaves if wanted is None else wanted))
        return held

    before = play(30)[-10:]
    pacing.rest()
    now += pause_s
    pacing.resume(now)
    after = play(30)[-10:]
    assert max(after) < max(before) + 2 * GRID_S
    assert pacing.playhead.underruns == 0
