"""When a session has held its slots for too long, and when not."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from ostinato.server import session
from ostinato.server.protocol import (
    AudioDone,
    ControlUpdate,
    NoteOff,
    NoteOn,
    Ping,
    PlaybackReport,
    SessionEnd,
    StreamPause,
)
from tests.server.serving import Listener, serving, whole

RATE = 44100


def say_until_closed(listener: Listener, message: Callable[[int], Any], patience_s: float) -> int | None:
    """Say something every 50 ms: the code that the socket is closed with; None where it stays open."""
    until, number = time.monotonic() + patience_s, 0
    while time.monotonic() < until:
        try:
            listener.say(message(number))
            listener.hear_one(0.05)
        except TimeoutError:
            pass
        except ConnectionClosed:
            return listener.hear_out().close_code
        number += 1
    return None


def test_a_long_rest_in_a_score_is_no_idleness() -> None:
    notes = [{"note": 60, "duration_s": 0.1, "start_s": start} for start in (0.0, 200.0)]
    with serving(idle_s=0.05) as server:
        began = time.monotonic()
        answer = httpx.post(f"{server.url}/v1/audio/synthesize", json={"notes": notes, "format": "pcm"}, timeout=30)
        assert time.monotonic() - began > 0.05
    assert len(answer.content) == int(answer.headers["content-length"])


def test_time_to_be_idle_counts_from_the_last_sound() -> None:
    with serving(idle_s=0.6) as server, Listener(server) as listener:
        listener.start(mode="live").say(NoteOn(event_id="on", note=60, at_sample=0))
        listener.say(NoteOff(event_id="off", note=60, at_sample=RATE))
        while not listener.heard.arrivals or listener.heard.arrivals[-1][1] < 1.45 * RATE:  # 0.15 s after its end
            listener.hear_one()
        whole(listener.say(SessionEnd()).hear_out())


@pytest.mark.parametrize("message", [Ping(), PlaybackReport(played_sample=0)], ids=lambda m: m.type)
@pytest.mark.parametrize("said", [(), (NoteOn(event_id="on", note=60), StreamPause())], ids=["unstarted", "paused"])
def test_what_comes_by_itself_keeps_no_silent_session(said: tuple[Any, ...], message: Any) -> None:  # noqa: ANN401
    with serving(idle_s=0.3) as server, Listener(server) as listener:
        listener.start().say(*said)
        assert say_until_closed(listener, lambda _: message, 8.0) == 4408
        assert server.settled()


def test_reports_of_a_sounding_session_keep_it() -> None:
    with serving(idle_s=0.2) as server, Listener(server) as listener:
        listener.start().say(NoteOn(event_id="on", note=60))
        assert say_until_closed(listener, lambda _: Ping(), 0.8) is None


def test_no_session_is_held_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "LIFE_S", 0.3)
    with serving() as server, Listener(server) as listener:
        listener.start().say(StreamPause())
        steer = lambda n: ControlUpdate(event_id=f"c{n}", params={"gain": 0.0})  # noqa: E731
        assert say_until_closed(listener, steer, 8.0) == 1000
        assert listener.heard.one(AudioDone).reason == "limit"
        assert server.settled()
