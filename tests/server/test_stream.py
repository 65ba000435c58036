import json
import socket
import threading
import time
import tracemalloc
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest

from ostinato.server.protocol import (
    AudioStart,
    ControlApplied,
    ControlUpdate,
    Error,
    NoteOff,
    NoteOn,
    Ping,
    PlaybackReport,
    Pong,
    SessionCreated,
    SessionEnd,
    Stats,
    StreamPause,
    StreamResume,
    Warned,
)
from tests.server.serving import Heard, Listener, Serving, eventually, serving, whole

RATE = 44100
MELODY = [
    NoteOn(event_id="a", note=60, voice_id="a", at_sample=0),
    NoteOn(event_id="b", note=67, voice_id="b", at_sample=5000),
    ControlUpdate(event_id="c", params={"bend": 80.0, "gain": -6.0}, ramp_ms=50, at_sample=7000),
    NoteOff(event_id="d", voice_id="a", at_sample=12000),
    NoteOn(event_id="e", note=72, at_sample=13000),
]


def melody(server: Serving, **fields: Any) -> Heard:  # noqa: ANN401
    with Listener(server) as listener:
        listener.start(**{"voices": 3, "mode": "fast", "duration_s": 0.5, **fields})
        listener.say(StreamPause(), *MELODY, StreamResume())
        return listener.hear_out()


def test_a_played_note_streams_until_it_has_faded(server: Serving) -> None:
    with Listener(server) as listener:
        note = NoteOn(event_id="on", note=60, at_sample=0), NoteOff(event_id="off", note=60, at_sample=8000)
        listener.start(mode="fast").say(StreamPause(), *note, StreamResume())
        while len(listener.heard.all(ControlApplied)) < 2:
            listener.hear_one()
        listener.say(SessionEnd())
        heard = listener.hear_out()
    done = whole(heard)
    assert listener.socket.subprotocol == "ostinato.v1"
    assert [a.event_id for a in heard.all(ControlApplied)] == ["on", "off"]
    assert heard.all(ControlApplied)[1].sample == 8000
    assert done.samples == 8000 + 13248  # and the release, in whole hops
    assert done.reason == "ended"
    assert heard.samples.any()
    assert heard.one(AudioStart).sample == 0
    created = heard.one(SessionCreated)
    assert (created.seed, created.format.sample_rate, created.format.hop) == (7, RATE, 64)


def test_the_last_frame_says_so_where_the_length_is_known(server: Serving) -> None:
    flags = [frame.flags for frame in melody(server).frames]
    assert flags[-1] == 2
    assert not any(flags[:-1])


def test_the_same_seed_and_events_give_the_same_bytes_however_they_are_sent(server: Serving) -> None:
    reference = whole(melody(server)).sha256
    assert whole(melody(server, mode="live", lead_ms=500.0)).sha256 == reference
    assert whole(melody(server, format={"frame_ms": 7.0})).sha256 == reference
    assert whole(melody(server, voices=5)).sha256 == reference  # enough voices are enough
    assert whole(melody(server, seed=8)).sha256 != reference


def test_sessions_beside_each_other_hear_what_each_hears_alone(server: Serving) -> None:
    alone = whole(melody(server)).sha256
    heard: list[Heard] = []
    seeds = [7, 1, 7, 2, 7]
    threads = [
        threading.Thread(target=lambda s=seed, m=mode: heard.append(melody(server, seed=s, mode=m)))
        for seed, mode in zip(seeds, ["live", "live", "fast", "fast", "live"], strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    hashes = [whole(h).sha256 for h in heard]
    assert hashes.count(alone) == seeds.count(7)
    assert len(set(hashes)) == 3


def test_float_samples_and_frames_without_a_header_can_be_had(server: Serving) -> None:
    with Listener(server) as listener:
        listener.start(mode="fast", duration_s=0.01, format={"encoding": "pcm_f32le"}, framing="raw")
        listener.say(NoteOn(event_id="on", note=60))
        raw = b""
        while True:
            frame = listener.socket.recv(timeout=5)
            if isinstance(frame, bytes):
                raw += frame
            elif json.loads(frame)["type"] == "audio.done":
                break
    assert len(raw) == 441 * 4


def test_a_live_stream_is_never_further_ahead_than_its_lead(server: Serving) -> None:
    with Listener(server) as listener:
        began = time.monotonic()
        listener.start(mode="live", lead_ms=100.0, duration_s=1.2).say(NoteOn(event_id="on", note=60))
        heard = listener.hear_out()
    whole(heard)
    assert all(samples / RATE <= at - began + 0.1 for at, samples in heard.arrivals)
    assert heard.arrivals[-1][0] - heard.arrivals[0][0] < 1.5
    assert heard.all(Stats)[-1].underruns == 0


def test_a_listener_that_reports_itself_behind_is_not_run_away_from(server: Serving) -> None:
    with Listener(server) as listener:
        listener.start(mode="live", lead_ms=100.0).say(NoteOn(event_id="on", note=60))
        until = time.monotonic() + 0.7
        while time.monotonic() < until:
            with suppress(TimeoutError):
                listener.hear_one(0.01)
            listener.say(PlaybackReport(played_sample=0))
        assert listener.heard.arrivals[-1][1] < 0.3 * RATE


def test_a_control_is_heard_soon(server: Serving) -> None:
    delays = []
    with Listener(server) as listener:
        listener.start(mode="live", lead_ms=20.0).say(NoteOn(event_id="on", note=60))
        listener.hear_until(ControlApplied)
        for i in range(20):
            began = time.monotonic()
            listener.say(ControlUpdate(event_id=f"c{i}", params={"bend": float(i)}))
            applied = listener.hear_until(ControlApplied)
            while not listener.heard.arrivals or listener.heard.arrivals[-1][1] <= applied.sample:
                listener.hear_one()
            delays.append(time.monotonic() - began)
    assert sorted(delays)[10] < 0.03  # far below what a delayed acknowledgement costs


def test_a_long_lead_that_is_held_back_keeps_no_answer_waiting(server: Serving) -> None:
    with Listener(server) as listener:
        listener.start(lead_ms=10_000.0).say(NoteOn(event_id="on", note=60)).hear_until(ControlApplied)
        took = []
        for number in range(8):
            time.sleep(0.05)
            began = time.monotonic()
            listener.say(Ping(id=str(number))).hear_until(Pong)
            took.append(time.monotonic() - began)
        assert sorted(took)[4] < 0.2  # while audio is held for up to 5 s
        assert len(listener.heard.samples) < 3 * RATE


def test_silence_streams_on_while_live_and_not_while_fast(server: Serving) -> None:
    with Listener(server) as live, Listener(server) as fast:
        for listener, mode in ((live, "live"), (fast, "fast")):
            notes = NoteOn(event_id="on", note=60), NoteOff(event_id="off", note=60)
            listener.start(mode=mode).say(StreamPause(), *notes, StreamResume())
        time.sleep(0.6)
        for listener in (live, fast):
            listener.say(SessionEnd())
        assert whole(live.hear_out()).samples > 0.55 * RATE
        assert whole(fast.hear_out()).samples == 13248


def test_a_paused_clock_stands_still(server: Serving) -> None:
    with Listener(server) as listener:
        listener.start().say(StreamPause(), NoteOn(event_id="on", note=60), Ping(id="1"))
        listener.hear_until(Pong)
        time.sleep(0.1)
        listener.say(Ping(id="2"))
        assert listener.hear_until(Pong).id == "2"
        assert not listener.heard.frames
        listener.say(StreamResume())
        listener.hear_until(AudioStart)
        listener.hear_until(ControlApplied)
        listener.say(StreamPause(), Ping(id="3"))
        listener.hear_until(Pong)
        time.sleep(0.3)  # until what was drawn before the pause has left
        listener.say(Ping(id="4"))
        listener.hear_until(Pong)
        count = len(listener.heard.frames)
        time.sleep(0.3)
        listener.say(Ping(id="5"))
        listener.hear_until(Pong)
        assert len(listener.heard.frames) == count
        listener.say(SessionEnd())
        heard = listener.hear_out()
    whole(heard)


def test_an_end_without_a_note_is_an_empty_stream(server: Serving) -> None:
    with Listener(server) as listener:
        done = whole(listener.start().say(SessionEnd()).hear_out())
    assert (done.samples, done.reason) == (0, "ended")


@pytest.mark.parametrize(
    ("said", "code", "param"),
    [
        ("{", "malformed_json", None),
        ({"type": "bogus"}, "unknown_type", "type"),
        ({"type": "note.on", "event_id": "x", "note": 200}, "invalid_value", "note"),
        ({"type": "note.on", "event_id": "x", "note": float("nan")}, "invalid_value", "note"),
        ({"type": "control.update", "event_id": "x", "params": {"gain": 99}}, "invalid_value", "params.gain"),
        ({"type": "control.update", "event_id": "x", "params": {"colour": 1}}, "invalid_value", "params.colour"),
        ({"type": "note.on", "event_id": "x", "note": 60, "at_sample": 10**9}, "too_far_ahead", "at_sample"),
        ({"type": "note.on", "event_id": "twice", "note": 61}, "duplicate_event_id", "event_id"),
        ({"type": "session.start", "model": "tiny"}, "already_started", "type"),
        ({"type": "frames.append"}, "not_supported", "type"),
        (b"\0\1\2", "binary_refused", None),
        ("x" * 70_000, "message_too_big", None),
    ],
)
def test_a_wrong_message_is_answered_and_the_session_goes_on(
    server: Serving,
    said: Any,  # noqa: ANN401
    code: str,
    param: str | None,
) -> None:
    with Listener(server) as listener:
        listener.start(mode="fast").say(NoteOn(event_id="twice", note=60), said)
        error = listener.refused()
        assert (error.error.code, error.error.param, error.fatal) == (code, param, False)
        listener.say(SessionEnd())
        whole(listener.hear_out())


def test_an_event_before_the_start_is_refused_and_the_start_still_taken(server: Serving) -> None:
    with Listener(server) as listener:
        listener.say(NoteOn(event_id="early", note=60))
        error = listener.refused().error
        assert (error.code, error.event_id) == ("not_started", "early")
        listener.say({"type": "session.start", "model": "tiny", "duration_s": -1})
        assert listener.refused().error.param == "duration_s"
        listener.start()
        listener.hear_until(SessionCreated)


@pytest.mark.parametrize(
    ("fields", "code", "param", "close"),
    [
        ({"model": "nonesuch"}, "unknown_model", "model", 4400),
        ({"voices": 40}, "over_limit", "voices", 4413),
        ({"controls": {"gain": 99.0}}, "invalid_value", "controls.gain", 4400),
        ({"resume": {"token": "t", "next_sample": 0}}, "resume_refused", "resume.token", 4409),
    ],
)
def test_a_start_that_cannot_be_is_refused_for_good(
    server: Serving, fields: dict[str, Any], code: str, param: str, close: int
) -> None:
    with Listener(server) as listener:
        listener.say({"type": "session.start", "model": "tiny", **fields})
        heard = listener.hear_out()
    error = heard.one(Error)
    assert (error.error.code, error.error.param, error.fatal, heard.close_code) == (code, param, True, close)
    assert server.settled()


def test_a_late_event_is_applied_and_warned_of(server: Serving) -> None:
    with Listener(server) as listener:
        listener.start(mode="live").say(NoteOn(event_id="on", note=60))
        while not listener.heard.frames:
            listener.hear_one()
        listener.say(NoteOff(event_id="late", note=60, at_sample=0))
        assert listener.hear_until(Warned).event_id == "late"
        assert listener.hear_until(ControlApplied).sample > 0


def test_a_listener_that_is_gone_frees_its_slots(server: Serving) -> None:
    listeners = [Listener(server).start(voices=8).say(NoteOn(event_id="on", note=60)) for _ in range(4)]
    for listener in listeners:
        listener.hear_until(ControlApplied)
    assert server.free_slots == 0
    for listener in listeners:
        listener.socket.socket.shutdown(socket.SHUT_RDWR)  # no closing handshake
    assert server.settled()
    for listener in listeners:
        listener.__exit__()


def test_a_full_server_says_so_and_when_to_try_again(server: Serving) -> None:
    with Listener(server) as first, Listener(server) as second:
        first.start(voices=30).hear_until(SessionCreated)
        heard = second.start(voices=3).hear_out()
        error = heard.one(Error)
        assert (error.error.type, error.error.code, error.fatal) == ("capacity", "full", True)
        assert error.retry_after_s
        assert heard.close_code == 1013
    assert server.settled()


def test_who_does_not_read_makes_nobody_else_wait() -> None:
    with serving() as server, Listener(server, max_queue=1) as silent:
        silent.start(lead_ms=200.0, format={"encoding": "pcm_f32le", "frame_ms": 5.0}, voices=4)
        silent.say(NoteOn(event_id="on", note=60))
        silent.socket.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sessions = server.engine._sessions
        assert eventually(lambda: any(d and d.stuck for d in [s.demand(time.monotonic()) for s in sessions.values()]))
        with Listener(server) as listener:
            listener.start(lead_ms=200.0, duration_s=1.0).say(NoteOn(event_id="on", note=60))
            heard = listener.hear_out()
        whole(heard)
        gaps = [late - early for (early, _), (late, _) in pairwise(heard.arrivals)]
        assert max(gaps) < 0.3


def test_who_does_not_read_is_closed_with_bounded_memory() -> None:
    with serving(stall_s=1.0) as server, Listener(server, max_queue=1) as listener:
        listener.start(mode="fast", format={"encoding": "pcm_f32le", "frame_ms": 100.0}, duration_s=600.0)
        listener.say(NoteOn(event_id="on", note=60))
        tracemalloc.start()
        try:
            assert eventually(lambda: server.engine._sessions)
            assert eventually(lambda: not server.engine._sessions)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 32 * 2**20
        assert server.settled()
        assert listener.hear_out().close_code == 4508


def test_a_socket_without_a_start_is_closed() -> None:
    with serving(start_s=0.1) as server, Listener(server) as listener:
        heard = listener.hear_out()
        assert heard.one(Error).error.code == "idle"
        assert heard.close_code == 4408


def test_a_session_without_a_word_or_a_sound_is_closed() -> None:
    with serving(idle_s=0.3) as server, Listener(server) as listener:
        heard = listener.start().hear_out()
        assert heard.close_code == 4408
        assert server.settled()


def test_a_server_that_stops_says_so() -> None:
    with serving() as server:
        listener = Listener(server)
        listener.start().hear_until(SessionCreated)
    assert listener.hear_out().close_code in (1001, 1012)
    listener.__exit__()


def test_a_fault_in_one_session_ends_that_session_alone(server: Serving, caplog: pytest.LogCaptureFixture) -> None:
    with Listener(server) as broken, Listener(server) as sound:
        for listener in (broken, sound):
            listener.start(mode="live").say(NoteOn(event_id="on", note=60))
            listener.hear_until(ControlApplied)
        session_id = broken.heard.one(SessionCreated).session_id
        server.engine._sessions[session_id].performance._voices = None  # type: ignore[assignment]
        heard = broken.hear_out()
        assert heard.one(Error).error.code == "internal"
        assert heard.close_code == 1011
        sound.say(SessionEnd())
        whole(sound.hear_out())
    assert session_id in caplog.text
    assert server.settled()
