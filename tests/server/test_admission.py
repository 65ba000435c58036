"""Who gets a session, by what a step costs: nobody at the cost of those who play."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import httpx
import pytest

from ostinato.models.sampling.contract import Sampler
from ostinato.server import engine, pool
from ostinato.server.protocol import Error, SessionCreated
from tests.server.serving import Heard, Listener, Serving, eventually, serving

Cost = Callable[[int], float]


def costing(monkeypatch: pytest.MonkeyPatch, rtf: Cost) -> None:
    """Let so many voices measure so."""

    def measured(_: Sampler, voices: int, __: float) -> float:
        return rtf(voices)

    monkeypatch.setattr(pool, "step_rtf", measured)


def refused(server: Serving, **fields: object) -> Heard:
    with Listener(server) as listener:
        return listener.start(**fields).hear_out()


def live_voices(server: Serving) -> int:
    return int(httpx.get(f"{server.url}/v1/models/tiny").json()["live_voices"])


def ready(server: Serving) -> bool:
    return httpx.get(f"{server.url}/readyz").status_code == 200


def synthesized(server: Serving) -> int:
    body = {"notes": [{"note": 60, "duration_s": 0.1}]}
    return httpx.post(f"{server.url}/v1/audio/synthesize", json=body).status_code


def test_live_voices_beyond_real_time_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    costing(monkeypatch, lambda voices: 0.1 * voices)
    with serving() as server, ExitStack() as open_listeners:
        assert live_voices(server) == 8

        def opened(**fields: object) -> None:
            open_listeners.enter_context(Listener(server)).start(**fields).hear_until(SessionCreated)

        opened(voices=6)
        heard = refused(server, voices=3)
        error = heard.one(Error)
        assert (error.error.type, error.error.code, heard.close_code) == ("capacity", "full", 1013)
        assert error.retry_after_s
        opened(voices=12, mode="fast")  # needs free slots alone
        assert synthesized(server) == 200
        opened(voices=2)
        assert refused(server, voices=1).close_code == 1013


def test_a_session_may_ask_for_what_an_idle_server_can_carry(monkeypatch: pytest.MonkeyPatch) -> None:
    costing(monkeypatch, lambda voices: 0.1 * voices)
    with serving() as server:
        heard = refused(server, voices=9)
        error = heard.one(Error).error
        assert (error.code, error.param, heard.close_code) == ("over_limit", "voices", 4413)
        assert "the 8 that" in error.message


def test_models_share_real_time(monkeypatch: pytest.MonkeyPatch) -> None:
    costing(monkeypatch, lambda voices: 0.1 * voices)
    with serving(models=("tiny", "r32"), slots=8) as server, Listener(server) as first:
        first.start(voices=6).hear_until(SessionCreated)
        assert refused(server, model="r32", voices=3).close_code == 1013
        with Listener(server) as second:
            second.start(model="r32", voices=2).hear_until(SessionCreated)


def test_a_model_too_slow_to_be_live_is_measured_again_and_serves_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    costing(monkeypatch, lambda _: 1.5)
    monkeypatch.setattr(engine, "MEASURE_AGAIN_S", 0.1)
    with serving() as server:
        assert live_voices(server) == 0
        assert not ready(server)
        heard = refused(server, mode="live")
        error = heard.one(Error).error
        assert (error.code, error.param, heard.close_code) == ("too_slow", "mode", 4413)
        assert "1.50 of real time" in error.message
        assert synthesized(server) == 200
        costing(monkeypatch, lambda _: 0.01)
        assert eventually(lambda: ready(server))
        assert live_voices(server) == 32
