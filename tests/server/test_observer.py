"""What is told by when audio arrives: all of it as it is drawn, nothing by the clock. The measure: `observer.py`."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from ostinato.server.protocol import Ping, Pong
from tests.server.observer import CASES, OFTEN, RARELY, listen
from tests.server.serving import Heard, Listener, serving
from tests.server.telling_apart import tell_apart, wilson

SLOW_S = 0.02  # what every other block takes longer


def test_two_contents_are_told_apart_by_when_their_audio_arrives_where_it_is_not_paced() -> None:
    with serving(models=("default",), engine="speculative", threads=1) as server:
        pairs = [[listen(server, content, "fast", 0.3, seed) for content in (RARELY, OFTEN)] for seed in range(16)]
    longer = [np.ptp(rarely.times) > np.ptp(often.times) for rarely, often in pairs]
    assert sum(longer) >= 12  # by chance once in 26 times, and whatever else the machine does meets both of a pair


def halting(**settings: Any) -> Heard:  # noqa: ANN401
    """A live session whose blocks take now longer and now shorter to be drawn."""
    with serving(**settings) as server, Listener(server) as listener:
        sampler, calls = server.engine._pools["tiny"].sampler, 0
        advance = sampler.advance

        def halt(*arguments: Any) -> Any:  # noqa: ANN401
            nonlocal calls
            calls += 1
            time.sleep(SLOW_S * (calls % 2))
            return advance(*arguments)

        sampler.advance = halt  # type: ignore[assignment, method-assign]
        listener.start(lead_ms=300.0, duration_s=1.3).say({"type": "note.on", "event_id": "on", "note": 60})
        return listener.hear_out()


def unevenness(heard: Heard) -> float:
    """How far apart blocks arrive that come soon and late for their place in the stream, a fifth of all each, s."""
    first = [i for i in range(1, len(heard.arrivals)) if heard.arrivals[i][0] - heard.arrivals[i - 1][0] > 0.002]
    late = np.array([heard.arrivals[i][0] - heard.frames[i].first_sample / 44100 for i in first])[len(first) // 2 :]
    return float(np.quantile(late, 0.8) - np.quantile(late, 0.2))


def test_what_a_block_takes_shows_in_when_it_arrives_unless_it_is_paced() -> None:
    assert unevenness(halting(paced=False)) > 0.7 * SLOW_S
    assert any(unevenness(halting()) < 0.3 * SLOW_S for _ in range(4))  # what others do to the machine may show, once


def test_answers_to_a_live_listener_wait_for_a_departure_too_and_come() -> None:
    with serving() as server, Listener(server) as listener:
        listener.start()
        for number in range(20):
            assert listener.say(Ping(id=str(number))).hear_until(Pong).id == str(number)
        mailboxes = [session.mailbox for session in server.engine._sessions.values()]
        assert [mailbox.paced for mailbox in mailboxes] == [True]
    assert server.service.departures._listeners == 0


@pytest.mark.parametrize("apart", [0.0, 3.0])
def test_the_classifier_finds_what_is_there_and_nothing_else(apart: float) -> None:
    kinds = np.arange(40) % 2 == 1
    x = np.random.default_rng(1).normal(size=(40, 18)) + apart * kinds[:, None] * (np.arange(18) == 5)
    verdict = tell_apart(x, kinds, permutations=200)
    assert (verdict.p < 0.01) == (apart > 0)
    assert verdict.low < verdict.accuracy < verdict.high
    assert (verdict.low > 0.5) == (apart > 0)


def test_the_interval_is_wilsons() -> None:
    assert wilson(0.5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)


@pytest.mark.parametrize("part", ["whole", "later"])
def test_a_paced_session_is_held_to_showing_nothing_from_its_beginning_to_its_end(part: str) -> None:
    told = {name: case.holds(part, paced=True, p=0.001) for name, case in CASES.items()}
    assert told == {"content": False, "native": False, "pitch": False, "neighbour": True}
    assert all(case.holds(part, paced=True, p=0.5) for case in CASES.values())


def test_an_observer_who_finds_nothing_where_something_is_proves_nothing() -> None:
    assert not CASES["content"].holds("whole", paced=False, p=0.5)
    assert CASES["content"].holds("whole", paced=False, p=0.001)
    assert not CASES["native"].holds("whole", paced=False, p=0.001)
