"""Who gets a session, by what a step costs: nobody at the cost of those who play."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import httpx
import pytest

from ostinato.models.sampling.contract import Sampler
from ostinato.server import cost, engine
from ostinato.server.protocol import Error, NoteOn, SessionCreated, SessionEnd
from tests.server.serving import Heard, Listener, Serving, eventually, serving, whole

Cost = Callable[[int], float]


def costing(monkeypatch: pytest.MonkeyPatch, rtf: Cost) -> None:
    """Let so many voices measure so, at the start and while they are drawn."""

    def measured(_: Sampler, voices: int, *__: object) -> float:
        return rtf(voices)

    monkeypatch.setattr(cost, "step_rtf", measured)
    monkeypatch.setattr(cost.RunningCost, "drawn", lambda *_: None)


def refused(server: Serving, **fields: object) -> Heard:
    with Listener(server) as listener:
        return listener.start(**fields).hear_out()


def live_voices(server: Serving) -> int:
    return int(httpx.get(f"{server.url}/v1/models/tiny").json()["live_voices"])


def readiness(server: Serving) -> dict[str, object]:
    answer = httpx.get(f"{server.url}/readyz")
    assert answer.status_code == 200
    told: dict[str, object] = answer.json()
    return told


def synthesized(server: Serving) -> int:
    body = {"notes": [{"note": 60, "duration_s": 0.1}]}
    return httpx.post(f"{server.url}/v1/audio/synthesize", json=body).status_code


def test_live_voices_beyond_real_time_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    costing(monkeypatch, lambda voices: 0.11 * voices)
    with serving() as server, ExitStack() as open_listeners:
        assert live_voices(server) == 7

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
    costing(monkeypatch, lambda voices: 0.11 * voices)
    with serving() as server:
        heard = refused(server, voices=9)
        error = heard.one(Error).error
        assert (error.code, error.param, heard.close_code) == ("over_limit", "voices", 4413)
        assert "the 7 that" in error.message


def test_models_share_real_time(monkeypatch: pytest.MonkeyPatch) -> None:
    costing(monkeypatch, lambda voices: 0.11 * voices)
    with serving(models=("tiny", "r32"), slots=8) as server, Listener(server) as first:
        first.start(voices=6).hear_until(SessionCreated)
        assert refused(server, model="r32", voices=3).close_code == 1013
        with Listener(server) as second:
            second.start(model="r32", voices=2).hear_until(SessionCreated)


def test_a_model_too_slow_to_be_live_is_served_fast_and_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    costing(monkeypatch, lambda _: 1.5)
    monkeypatch.setattr(engine, "MEASURE_AGAIN_S", 0.1)
    with serving() as server:
        assert live_voices(server) == 0
        told = readiness(server)
        assert (told["status"], told["live"], told["too_slow"]) == ("ready", [], {"tiny": 1.5})
        heard = refused(server, mode="live")
        error = heard.one(Error).error
        assert (error.code, error.param, heard.close_code) == ("too_slow", "mode", 4413)
        assert "1.50 of real time" in error.message
        with Listener(server) as listener:
            whole(listener.start(mode="fast").say(NoteOn(event_id="on", note=60), SessionEnd()).hear_out())
        assert synthesized(server) == 200
        costing(monkeypatch, lambda _: 0.01)
        assert eventually(lambda: readiness(server)["live"] == ["tiny"])
        assert live_voices(server) == 32


def test_one_model_too_slow_keeps_no_other_from_being_live(monkeypatch: pytest.MonkeyPatch) -> None:
    def measured(sampler: Sampler, voices: int, *_: object) -> float:
        return (0.1 if sampler.config.name == "tiny" else 1.5) * voices

    monkeypatch.setattr(cost, "step_rtf", measured)
    with serving(models=("tiny", "r32"), slots=8) as server:
        told = readiness(server)
        assert (told["live"], told["too_slow"]) == (["tiny"], {"r32": 1.5})
        assert refused(server, model="r32").one(Error).error.code == "too_slow"
        with Listener(server) as listener:
            listener.start(voices=8).hear_until(SessionCreated)
