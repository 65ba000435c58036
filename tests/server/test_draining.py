"""A server that is told to stop lets sessions finish, and takes no others."""

from __future__ import annotations

import signal

import httpx
import pytest

from ostinato.server.protocol import (
    AudioDone,
    ControlApplied,
    Error,
    NoteOn,
    ServerDraining,
    SessionCreated,
    SessionEnd,
)
from tests.server.processes import process
from tests.server.serving import Listener, Serving, eventually, serving, whole


def readiness(server: Serving) -> int:
    return httpx.get(f"{server.url}/readyz").status_code


def test_sessions_finish_while_nobody_else_is_let_in() -> None:
    with serving() as server, Listener(server) as first:
        first.start().say(NoteOn(event_id="on", note=60)).hear_until(ControlApplied)
        server.engine.drain(20.0)
        assert first.hear_until(ServerDraining).deadline_s == 20.0
        assert readiness(server) == 503
        with Listener(server) as second:
            heard = second.start().hear_out()
            assert (heard.one(Error).error.code, heard.close_code) == ("draining", 1012)
        body = {"notes": [{"note": 60, "duration_s": 0.1}]}
        answer = httpx.post(f"{server.url}/v1/audio/synthesize", json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "draining")
        assert int(answer.headers["retry-after"]) > 0
        assert not server.engine.drained.is_set()
        whole(first.say(SessionEnd()).hear_out())
        assert server.engine.drained.wait(5.0)


def test_who_is_still_there_at_the_deadline_is_cut_off_with_a_whole_stream() -> None:
    with serving() as server, Listener(server) as playing, Listener(server) as silent:
        playing.start().say(NoteOn(event_id="on", note=60)).hear_until(ControlApplied)
        silent.start().hear_until(SessionCreated)
        server.engine.drain(0.3)
        for listener in (playing, silent):
            heard = listener.hear_out()
            done = heard.one(AudioDone)
            assert (done.reason, done.sha256, heard.close_code) == ("drained", heard.sha256, 1012)
        assert playing.heard.one(AudioDone).samples == len(playing.heard.samples) > 0
        assert server.engine.drained.wait(5.0)


def test_who_waits_for_room_is_sent_elsewhere() -> None:
    with serving(queue=2, slots=2) as server, Listener(server) as first, Listener(server) as second:
        first.start(voices=2, mode="fast").hear_until(SessionCreated)
        second.start(voices=2, mode="fast")
        assert eventually(lambda: server.engine._attendance.waiting == 1)
        server.engine.drain(20.0)
        assert second.hear_out().close_code == 1012
        first.say(SessionEnd())
        first.hear_out()


@pytest.mark.parametrize(("drain_s", "ends"), [("20", True), ("0.3", False)])
def test_sigterm_drains_and_ends_well(drain_s: str, ends: bool) -> None:
    with process(OSTINATO_DRAIN_S=drain_s) as server, Listener(server) as listener:
        listener.start().say(NoteOn(event_id="on", note=60)).hear_until(ControlApplied)
        server.process.send_signal(signal.SIGTERM)
        listener.hear_until(ServerDraining)
        if ends:
            listener.say(SessionEnd())
        heard = listener.hear_out()
        assert heard.close_code == (1000 if ends else 1012)
        assert heard.one(AudioDone).sha256 == heard.sha256
        assert server.process.wait(10.0) == 0


def test_what_is_held_back_at_the_deadline_is_sent_before_the_end() -> None:
    with process(OSTINATO_DRAIN_S="0.5") as server, Listener(server) as listener:
        listener.start(lead_ms=10_000.0).say(NoteOn(event_id="on", note=60)).hear_until(ControlApplied)
        server.process.send_signal(signal.SIGTERM)
        heard = listener.hear_out()
        done = heard.one(AudioDone)
        assert (done.reason, done.sha256, heard.close_code) == ("drained", heard.sha256, 1012)
        assert done.samples == len(heard.samples) > 5 * 44100  # of 10 s, most of which would have been held for longer
        assert server.process.wait(10.0) == 0


def test_a_second_signal_stops_it_at_once() -> None:
    with process() as server, Listener(server) as listener:
        listener.start().say(NoteOn(event_id="on", note=60)).hear_until(ControlApplied)
        server.process.send_signal(signal.SIGTERM)
        listener.hear_until(ServerDraining)
        server.process.send_signal(signal.SIGTERM)
        assert listener.hear_out().close_code in (1001, 1012)
        assert server.process.wait(10.0) == -signal.SIGTERM
