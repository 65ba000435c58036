from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.clients.load import Load
from ostinato.clients.load_plan import LoadPlan
from ostinato.clients.load_report import LoadReport
from ostinato.clients.ramp import MOST, Ramp, climb
from tests.server.serving import serving

FINE = Load(LoadPlan(url="ws://a", streams=1, seconds=1.0)).report()


def step(streams: int, *, carried: int = MOST, admitted: int = MOST, **more: object) -> LoadReport:
    """What a server that carries and admits so many would give so many streams."""
    joined = min(streams, admitted)
    over = max(0, joined - carried)
    return replace(FINE, streams=streams, joined=joined, refused=streams - joined, underruns=over, **more)  # type: ignore[arg-type]


def climbed(begin_with: int, carried: int, admitted: int) -> Ramp:
    ramp = Ramp(begin_with)
    while (streams := ramp.following) is not None:
        ramp.steps.append(step(streams, carried=carried, admitted=admitted))
    return ramp


@given(st.integers(1, MOST), st.integers(0, MOST), st.integers(1, MOST))
def test_the_most_is_found_in_a_few_steps_and_why_it_is_no_more(begin_with: int, carried: int, admitted: int) -> None:
    ramp = climbed(begin_with, carried, admitted)
    assert ramp.most == min(carried, admitted)
    assert len(ramp.steps) <= 20
    if carried < admitted:
        assert ramp.limit == "underrun"
    else:
        assert ramp.limit == ("admission" if admitted < MOST else "most")


def test_it_doubles_and_then_halves_what_is_open() -> None:
    ramp = climbed(2, carried=11, admitted=MOST)
    assert [s.streams for s in ramp.steps] == [2, 4, 8, 16, 12, 10, 11]


def test_a_refusal_is_the_limit_where_those_who_joined_heard_no_gap() -> None:
    ramp = climbed(4, carried=40, admitted=25)
    assert [s.streams for s in ramp.steps] == [4, 8, 16, 32]
    assert (ramp.most, ramp.limit) == (25, "admission")


@pytest.mark.parametrize(
    ("fault", "limit"),
    [
        ({"underruns": 1, "client_lag_ms_p99": 41.0}, "client"),
        ({"underruns": 1, "client_lag_ms_p99": 39.0}, "underrun"),
        ({"underruns": 2, "client_stalls": 1}, "client"),
        ({"underruns": 3, "client_stalls": 1}, "underrun"),
        ({"lost": 1}, "loss"),
        ({"corrupt": 1}, "loss"),
        ({"unreachable": 1}, "loss"),
    ],
)
def test_what_went_wrong_with_one_more_is_told(fault: dict[str, float], limit: str) -> None:
    ramp = Ramp()
    ramp.steps += (step(1), replace(step(2), **fault))  # type: ignore[arg-type]
    assert (ramp.most, ramp.limit) == (1, limit)
    assert ramp.as_dict()["limit"] == limit


def test_a_number_that_failed_once_is_not_the_most() -> None:
    ramp = Ramp(8)
    ramp.steps += (step(8), replace(step(16), joined=8, refused=8, underruns=3))
    assert (ramp.most, ramp.following, ramp.limit) == (0, 4, None)


def test_a_ramp_on_a_server_ends_at_its_slots_at_the_latest() -> None:
    ramp, told = Ramp(), list[LoadReport]()
    with serving(slots=3) as running:
        plan = LoadPlan(url=running.url, model="tiny", streams=1, seconds=0.2)
        asyncio.run(climb(plan, ramp, told.append, lambda _: None))
        assert running.settled()
    assert told == ramp.steps
    assert (ramp.following, ramp.steps[0].streams) == (None, 1)
    assert max(s.joined for s in ramp.steps) <= 3
    assert ramp.limit in ("admission", "underrun", "client")


def test_a_ramp_stops_where_nobody_joins() -> None:
    ramp = Ramp()
    with serving() as running:
        plan = LoadPlan(url=running.url, model="nobody", streams=1, seconds=0.2)
        asyncio.run(climb(plan, ramp, lambda _: None, lambda _: None))
    assert [(s.joined, s.refused) for s in ramp.steps] == [(0, 1)]
