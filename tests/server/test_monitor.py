"""What the latency monitor of a real server tells: whose fault a gap was, and what happened in the last minute."""

import json
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import httpx

from ostinato.server.misses import Cause
from ostinato.server.protocol import (
    AudioDone,
    ControlApplied,
    ControlUpdate,
    NoteOn,
    PlaybackReport,
    SessionCreated,
)
from tests.server.serving import Listener, Serving, eventually, serving

QUICK = {"mode": "live", "lead_ms": 40.0}


class Lines(logging.Handler):
    """What was logged."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.told.append({"message": record.getMessage(), **getattr(record, "fields", {})})

    def of(self, session_id: str, message: str) -> list[dict[str, Any]]:
        return [t for t in self.told if t["message"] == message and t.get("session_id") == session_id]


@contextmanager
def logged() -> Iterator[Lines]:
    """To be entered once a server has set its logging up."""
    handler, logger = Lines(), logging.getLogger("ostinato.session")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield handler
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)


def misses(server: Serving) -> Mapping[Cause, int]:
    return server.engine.latency.engine.misses


def begin(listener: Listener, **fields: Any) -> str:  # noqa: ANN401
    listener.start(**{**QUICK, **fields}).say(NoteOn(event_id="on", note=60))
    session_id = listener.hear_until(SessionCreated).session_id
    listener.hear_until(ControlApplied)
    return session_id


def test_a_slow_sampler_is_at_fault_for_the_gaps_that_it_makes() -> None:
    with serving() as server, logged() as lines, Listener(server) as listener:
        sampler = server.engine._pools["tiny"].sampler
        advance = sampler.advance

        def slowly(*arguments: Any) -> Any:  # noqa: ANN401
            time.sleep(0.2)
            return advance(*arguments)

        sampler.advance = slowly  # type: ignore[assignment, method-assign]
        session_id = begin(listener, duration_s=0.2)
        listener.hear_until(AudioDone)
        assert eventually(lambda: lines.of(session_id, "underrun"))
        told = httpx.get(f"{server.url}/v1/latency/recent", params={"seconds": 60, "session_id": session_id}).json()
    causes = [miss["cause"] for miss in told["misses"]]
    assert causes.count("compute") > len(causes) / 2
    assert {miss["session_id"] for miss in told["misses"]} == {session_id}
    assert all(0 < miss["late_ms"] < 20_000 for miss in told["misses"])
    assert any(block["step_ms"] >= 200 and block["late_ms"] > 0 for block in told["blocks"])
    assert any(line["cause"] == "compute" and line["late_ms"] > 0 for line in lines.of(session_id, "underrun"))
    assert misses(server)["compute"] > 0


def test_an_event_loop_that_stands_still_is_at_fault_for_the_gap() -> None:
    with serving() as server, Listener(server) as listener:
        session_id = begin(listener)
        loop = server.engine._sessions[session_id].mailbox._loop

        def stalled() -> bool:
            loop.call_soon_threadsafe(time.sleep, 0.3)
            while not listener.heard.arrivals or time.monotonic() - listener.heard.arrivals[-1][0] < 0.05:
                listener.hear_one()
                if len(listener.heard.arrivals) % 20 == 0:
                    break
            return misses(server)["event_loop"] > 0

        assert eventually(stalled)


def test_a_socket_that_takes_nothing_is_at_fault_for_the_gap() -> None:
    with serving() as server, Listener(server, max_queue=1) as listener:
        session_id = begin(listener, format={"encoding": "pcm_f32le", "frame_ms": 20.0})

        def clock_stands() -> bool:
            before = server.engine._sessions[session_id].performance.clock
            time.sleep(0.5)  # many times the lead
            return server.engine._sessions[session_id].performance.clock == before

        assert eventually(clock_stands, patience_s=60.0)  # what the kernel's buffers hold is sent

        def unstuck() -> bool:
            listener.hear_one()
            return misses(server)["network"] > 0

        assert eventually(unstuck)


def test_what_only_the_listener_noticed_is_its_own() -> None:
    with serving() as server, Listener(server) as listener:
        session_id = begin(listener, lead_ms=200.0)
        listener.say(PlaybackReport(played_sample=0, underruns=10**6))

        def noticed() -> bool:
            listener.hear_one()
            return misses(server)["client"] > 0

        assert eventually(noticed)
        (session,) = (s for s in server.engine.latency.sessions if s.session_id == session_id)
        assert session.reported_underruns == 10**6
        assert 0 < sum(session.misses.values()) <= len(listener.heard.frames) + 50  # no more than blocks


def test_an_events_way_to_the_ear_is_measured() -> None:
    with serving() as server, Listener(server) as listener:
        session_id = begin(listener, lead_ms=100.0)
        for number in range(5):
            listener.say(ControlUpdate(event_id=f"{number}", params={"gain": -float(number)}))
            listener.hear_until(ControlApplied)

        def heard() -> int:
            listener.hear_one()
            report = server.engine.latency
            return next((s.control_ms.count for s in report.sessions if s.session_id == session_id), 0)

        assert eventually(lambda: heard() == 6)
        report = server.engine.latency.engine
    assert report.control_ms.count == report.models["tiny"].control_ms.count == 6
    assert report.control_ms.p50 is not None
    assert report.control_ms.p50 > 0


def test_the_last_minute_holds_every_block_and_each_sessions_seconds_after_its_end() -> None:
    with serving() as server:
        with Listener(server) as listener:
            session_id = begin(listener, lead_ms=200.0, duration_s=1.3)
            heard = listener.hear_out()
        assert eventually(lambda: not server.engine.reading.sessions and server.engine.reading.ended)
        told = httpx.get(f"{server.url}/v1/latency/recent", params={"seconds": 60}).json()
    (session,) = told["sessions"]
    assert session["session_id"] == session_id
    assert 0 < sum(second["blocks"] for second in session["seconds"]) <= len(heard.frames)
    assert 0 < len(told["blocks"]) <= len(heard.frames)  # a block may fill several frames
    assert sum(64 * block["hops"] for block in told["blocks"]) >= 1.3 * 44100
    assert told["blocks"] == sorted(told["blocks"], key=lambda block: block["at"])
    assert abs(told["now"] - time.time()) < 60
    assert all(block["block_ms"] >= block["step_ms"] > 0 for block in told["blocks"] if block["voices"])


def test_the_last_minute_can_be_narrowed_and_nonsense_is_refused_by_name(server: Serving) -> None:
    url = f"{server.url}/v1/latency/recent"
    nobody = httpx.get(url, params={"session_id": "nobody"}).json()
    assert (nobody["sessions"], nobody["misses"]) == ([], [])
    for field, value in (("seconds", "61"), ("seconds", "0"), ("seconds", "nan"), ("secnods", "1")):
        answer = httpx.get(url, params={field: value})
        assert answer.status_code == 400
        assert answer.json()["error"]["param"] == field
        assert value in answer.json()["error"]["message"]


def test_a_session_is_logged_from_its_opening_to_its_outcome() -> None:
    with serving() as server, logged() as lines:
        with Listener(server) as listener:
            whole = begin(listener, duration_s=0.2)
            listener.hear_out()
        with Listener(server) as listener:
            left = begin(listener)
        assert server.settled()
        with Listener(server) as listener:
            listener.start(voices=60).refused()
        assert eventually(lambda: lines.of(left, "session closed") and lines.of(whole, "session closed"))
    (opened,) = lines.of(whole, "session opened")
    assert (opened["model"], opened["mode"], opened["voices"], opened["lead_ms"]) == ("tiny", "live", 1, 40.0)
    assert [line["outcome"] for line in lines.of(whole, "session closed")] == ["duration"]
    assert [line["outcome"] for line in lines.of(left, "session closed")] == ["hung_up"]
    (refused,) = (line for line in lines.told if line["message"] == "session refused")
    assert refused["code"] == "over_limit"
    assert "voices: 60" in refused["why"]
    json.dumps(lines.told)


def test_the_monitor_tells_what_it_costs_itself() -> None:
    with serving() as server, Listener(server) as listener:
        begin(listener, lead_ms=200.0, duration_s=2.5)
        listener.hear_out()
        times = server.engine.reading.times
        share = server.engine.latency.engine.monitor_share
    assert share is not None
    assert 0 < share < 1
    assert 0 < times[-1].monitor_s < times[-1].cpu_s
    assert all(a.cpu_s <= b.cpu_s and a.monitor_s <= b.monitor_s for a, b in pairwise(times))
