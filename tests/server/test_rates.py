from contextlib import suppress

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed

from ostinato.server.protocol import (
    Allowance,
    Error,
    NoteOn,
    PlaybackReport,
    ProtocolError,
    SessionCreated,
    SessionEnd,
    Stats,
)
from ostinato.server.rates import Rates
from tests.server.serving import Listener, Serving, serving, whole

KEYS = "alice:the-key-of-alice,bob:the-key-of-bob"
ALICE, BOB = {"Authorization": "Bearer the-key-of-alice"}, {"Authorization": "Bearer the-key-of-bob"}
STEPS = st.lists(st.floats(0.0, 2.0), max_size=100)


@given(st.floats(0.5, 100.0), st.integers(1, 20), STEPS)
def test_within_any_time_no_more_is_had_than_a_burst_and_the_rate(per_s: float, burst: int, steps: list[float]) -> None:
    now, taken = 0.0, []
    allowance = Allowance(per_s, burst, now)
    for step in steps:
        now += step
        if not allowance.take(now):
            taken.append(now)
    for i, since in enumerate(taken):
        for j in range(i, len(taken)):
            assert j - i + 1 <= burst + per_s * (taken[j] - since) + 1e-6


@given(st.floats(0.5, 100.0), st.integers(1, 20), STEPS)
def test_who_waits_as_long_as_told_gets_the_next_and_who_keeps_the_rate_gets_all(
    per_s: float, burst: int, steps: list[float]
) -> None:
    now = 0.0
    allowance = Allowance(per_s, burst, now)
    for step in steps:
        now += step
        wait_s = allowance.take(now)
        if wait_s:
            assert wait_s <= 1.0 / per_s + 1e-9
            now += wait_s + 1e-9
            assert not allowance.take(now)
    steady = Allowance(per_s, burst, 0.0)
    assert not any(steady.take(i / per_s * (1 + 1e-9)) for i in range(100))


def test_an_owner_that_asks_too_often_keeps_nobody_else_from_asking() -> None:
    now = 0.0
    rates = Rates(1.0, 3, lambda: now)
    for _ in range(3):
        rates.count("alice")
    with pytest.raises(ProtocolError, match=r"requests: at most 1 a second with the key 'alice', 3 at once") as refusal:
        rates.count("alice")
    assert refusal.value.retry_after_s == pytest.approx(1.0)
    rates.count("bob")
    now = 1.0
    rates.count("alice")


def test_too_many_requests_are_answered_with_when_to_try_again() -> None:
    with serving(api_keys=KEYS, requests_per_s=0.01, requests_burst=2) as server:
        assert [httpx.get(f"{server.url}/v1/models", headers=ALICE).status_code for _ in range(3)] == [200, 200, 429]
        answer = httpx.post(f"{server.url}/v1/audio/synthesize", headers=ALICE)
        assert (answer.status_code, answer.json()["error"]["code"]) == (429, "too_many_requests")
        assert 0 < int(answer.headers["retry-after"]) <= 100
        with Listener(server, additional_headers=ALICE) as listener:
            heard = listener.hear_out()
        error = heard.one(Error)
        assert (error.error.code, error.fatal, heard.close_code) == ("too_many_requests", True, 4429)
        assert httpx.get(f"{server.url}/v1/models", headers=BOB).status_code == 200
        assert httpx.get(f"{server.url}/readyz").status_code == 200


def test_strangers_use_up_nobodys_requests() -> None:
    with serving(api_keys=KEYS, requests_per_s=0.01, requests_burst=1) as server:
        assert [httpx.get(f"{server.url}/v1/models").status_code for _ in range(3)] == [401, 429, 429]
        assert httpx.get(f"{server.url}/v1/models", headers=ALICE).status_code == 200


def test_a_client_that_floods_is_closed_and_its_neighbours_play_on() -> None:
    with serving(messages_per_s=10.0, messages_burst=8192) as server, Listener(server) as neighbour:
        neighbour.start(lead_ms=1000.0, duration_s=1.5).say(NoteOn(event_id="on", note=60))
        with Listener(server) as flooder:
            flooder.start(lead_ms=1000.0).say(NoteOn(event_id="on", note=60)).hear_until(Stats)
            flood = [PlaybackReport(played_sample=0).to_json()] * 20_000
            with suppress(ConnectionClosed):
                flooder.say(*flood)
            heard = flooder.hear_out()
        error = heard.one(Error)
        assert (error.error.type, error.error.code, error.fatal) == ("capacity", "too_many_messages", True)
        assert error.error.message == "messages: at most 10 a second, 8192 at once"
        assert error.retry_after_s
        assert heard.close_code == 4429
        heard = neighbour.hear_out()
        whole(heard)
        assert heard.all(Stats)[-1].underruns == 0
        assert server.settled()


def test_a_flood_before_the_start_is_closed_too() -> None:
    with serving(messages_per_s=1.0, messages_burst=8192) as server, Listener(server) as listener:
        with suppress(ConnectionClosed):
            listener.say(*["{}"] * 20_000)
        heard = listener.hear_out()
        codes = [error.error.code for error in heard.all(Error)]
        assert set(codes[:-1]) == {"unknown_type"}
        assert 8192 <= len(codes[:-1]) < 10_000
        assert codes[-1] == "too_many_messages"
        assert heard.close_code == 4429


def test_as_many_messages_as_a_session_is_told_of_are_taken(server: Serving) -> None:
    with Listener(server) as listener:
        limits = listener.start().hear_until(SessionCreated).limits
        assert (limits.messages_per_s, limits.messages_burst) == (4000.0, 20_000)
        listener.say(*[PlaybackReport(played_sample=0).to_json()] * (limits.messages_burst - 2), SessionEnd())
        assert listener.hear_out().close_code == 1000
