"""When a client tries again, by a clock that is told."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.clients.conversation import Conversation
from ostinato.clients.errors import (
    CorruptError,
    LostError,
    RefusedError,
    SilentError,
    StreamError,
    UnreachableError,
)
from ostinato.clients.recovery import FIRST_S, MOST_S, Recovery
from ostinato.server.protocol import Error, ErrorDetail, SessionStart, Stats
from tests.clients.test_conversation import Clock
from tests.clients.test_stream import CREATED

RESUMABLE = CREATED.replace('"session_id"', '"resume_token":"abc","session_id"')
STATS = Stats(lead_ms=1.0, underruns=0, voices=1, batch=1, budget_us=22.7).to_json()
BROKE = LostError("the connection broke")


def admitted(created: str = RESUMABLE) -> Conversation:
    talk = Conversation(SessionStart(model="tiny"))
    talk.outgoing()
    talk.take(created)
    return talk


def refusal(retry_after_s: float | None = None) -> RefusedError:
    detail = ErrorDetail(type="capacity", code="full", message="no room")
    return RefusedError(Error(error=detail, fatal=True, retry_after_s=retry_after_s))


@given(st.floats(0.2, 120.0), st.integers(0, 100))
def test_attempts_come_less_and_less_often_and_end_with_the_time_there_is(within_s: float, seed: int) -> None:
    clock, waits = Clock(), list[float]()
    recovery = Recovery(admitted(), within_s, clock=clock, random=Random(seed))

    def try_on_and_on() -> None:
        waits.append(recovery.wait_s(BROKE))
        while True:
            clock.now += waits[-1]
            waits.append(recovery.wait_s(UnreachableError("nobody there")))

    with pytest.raises(LostError, match=r"the connection broke, and no way back .*: nobody there"):
        try_on_and_on()
    assert 0.75 * FIRST_S <= waits[0] <= 1.25 * FIRST_S
    assert max(waits) <= 1.25 * MOST_S
    assert sum(waits) <= within_s
    assert all(later > earlier or earlier > 0.7 * MOST_S for earlier, later in pairwise(waits))


@pytest.mark.parametrize("why", [BROKE, SilentError("nothing was heard")])
def test_a_wire_that_broke_or_fell_silent_is_mended_and_that_is_told_once(why: StreamError) -> None:
    lost: list[StreamError] = []
    recovery = Recovery(admitted(), 30.0, lost.append)
    for fault in (why, UnreachableError("nobody there"), SilentError("again")):
        recovery.wait_s(fault)
    assert lost == [why]


@pytest.mark.parametrize(
    "why",
    [LostError("closed by the server with 4508", 4508), CorruptError("sha256"), refusal(), refusal(1.0)],
)
def test_what_a_server_means_and_what_is_corrupt_is_final(why: StreamError) -> None:
    with pytest.raises(type(why)) as told:
        Recovery(admitted(), 30.0).wait_s(why)
    assert told.value is why


def test_there_is_no_way_back_without_a_token_or_before_a_place_in_line() -> None:
    fresh = Conversation(SessionStart(model="tiny"))
    for talk in (admitted(CREATED), fresh):
        with pytest.raises(LostError, match="the connection broke"):
            Recovery(talk, 30.0).wait_s(BROKE)
    fresh.take('{"type":"queue.update","position":2}')
    assert Recovery(fresh, 30.0).wait_s(BROKE) > 0.0


def test_a_refusal_on_the_way_back_is_final_unless_it_says_when_to_try_again() -> None:
    recovery = Recovery(admitted(), 30.0)
    recovery.wait_s(BROKE)
    assert recovery.wait_s(refusal(5.0)) == 5.0
    with pytest.raises(LostError, match=r"the connection broke, and the session is not carried on: no room"):
        recovery.wait_s(refusal())


def test_an_outage_is_over_once_more_than_a_greeting_was_heard() -> None:
    clock, talk = Clock(), admitted()
    recovery = Recovery(talk, 10.0, clock=clock)
    recovery.wait_s(BROKE)
    clock.now += 8.0
    talk.reconnect()
    talk.take(RESUMABLE)
    recovery.wait_s(BROKE)  # the same outage
    talk.reconnect()
    talk.take(RESUMABLE)
    talk.take(STATS)
    clock.now += 8.0
    assert recovery.wait_s(BROKE) <= 1.25 * FIRST_S  # another one
