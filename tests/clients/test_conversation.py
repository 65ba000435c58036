from __future__ import annotations

import hashlib
import struct

import numpy as np
import pytest

from ostinato.clients.conversation import Conversation
from ostinato.clients.errors import CorruptError, RefusedError
from ostinato.clients.incoming import Block
from ostinato.clients.score_feed import UNANSWERED
from ostinato.server.pcm import encode
from ostinato.server.protocol import (
    AudioDone,
    AudioFormat,
    AudioStart,
    ControlApplied,
    Encoding,
    Error,
    ErrorDetail,
    Event,
    FrameHeader,
    Limits,
    NoteOn,
    PlaybackReport,
    Resume,
    ServerMessage,
    SessionCreated,
    SessionEnd,
    SessionStart,
    Stats,
    StreamFormat,
    StreamPause,
    StreamResume,
    Warned,
    parse_client,
)

RATE = 44_100


class Clock:
    """A clock that stands until it is told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def opened(mode: str = "live", encoding: Encoding = "pcm_s16le", clock: Clock | None = None) -> Conversation:
    """A conversation whose session was admitted."""
    start = SessionStart(model="tiny", mode=mode, format=AudioFormat(encoding=encoding))  # type: ignore[arg-type]
    talk = Conversation(start, clock=clock or Clock())
    assert [parse_client(text) for text in talk.outgoing()] == [start]
    created = SessionCreated(
        session_id="s",
        model="tiny",
        format=StreamFormat(encoding=encoding, sample_rate=RATE, hop=64),
        seed=1,
        lead_ms=200.0,
        limits=Limits(voices=1, duration_s=60.0),
    )
    talk.take(created.to_json())
    return talk


def frame(sequence: int, first: int, pcm: bytes, flags: int = 0) -> bytes:
    return FrameHeader(sequence, first, flags).pack() + pcm


def done(samples: int) -> str:
    return AudioDone(samples=samples, sha256="0", reason="ended").to_json()


def said(talk: Conversation) -> list[object]:
    return [parse_client(text) for text in talk.outgoing()]


def notes(count: int, every_s: float) -> list[Event]:
    return [NoteOn(event_id=f"n{i}", note=60.0, at_sample=round(i * every_s * RATE)) for i in range(count)]


def test_audio_is_handed_on_and_the_whole_is_checked() -> None:
    talk = opened()
    first, second = talk.take(frame(0, 0, b"\x01\x00\x02\x00")), talk.take(frame(1, 2, b"\xff\x7f"))
    assert first == Block(0, b"\x01\x00\x02\x00", "pcm_s16le")
    assert second is not None
    assert second.samples.tolist() == [1.0]
    digest = hashlib.sha256(b"\x01\x00\x02\x00\xff\x7f").hexdigest()
    talk.take(AudioDone(samples=3, sha256=digest, reason="ended").to_json())
    assert talk.done is not None
    assert talk.report.samples == 3


@pytest.mark.parametrize("encoding", ["pcm_s16le", "pcm_f32le"])
def test_samples_are_what_the_server_drew(encoding: Encoding) -> None:
    drawn = np.linspace(-1, 1, 101, dtype=np.float32)
    block = Block(0, encode(drawn, encoding), encoding)
    assert block.samples.dtype == np.float32
    assert np.abs(block.samples - drawn).max() <= (0.0 if encoding == "pcm_f32le" else 0.51 / 32767)


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([frame(1, 0, b"\0\0")], "sequence: 1 came where 0"),
        ([frame(0, 0, b"\0\0"), frame(1, 2, b"\0\0")], "first sample: 2 came where 1"),
        ([frame(0, 0, b"\0\0\0")], "splits a sample"),
        ([b"\x01\0\0"], "holds no 16-byte header"),
        ([struct.pack("<BBHIQ", 9, 0, 0, 0, 0)], "version: 9"),
        (["{"], "not JSON"),
        (['{"type": "song"}'], "not a message type"),
        ([frame(0, 0, b"\0\0"), done(2)], "samples: 1 arrived of 2"),
        ([frame(0, 0, b"\0\0"), done(1)], "sha256"),
    ],
)
def test_what_was_not_sent_so_is_refused(frames: list[str | bytes], message: str) -> None:
    talk = opened()
    for good in frames[:-1]:
        talk.take(good)
    with pytest.raises(CorruptError, match=message):
        talk.take(frames[-1])


def test_audio_before_the_session_is_refused() -> None:
    with pytest.raises(CorruptError, match=r"before session\.created"):
        Conversation(SessionStart(model="tiny")).take(frame(0, 0, b"\0\0"))


def test_streams_without_headers_are_not_taken() -> None:
    with pytest.raises(ValueError, match="framing: 'raw'"):
        Conversation(SessionStart(model="tiny", framing="raw"))


def test_a_fatal_error_ends_it_and_others_are_kept() -> None:
    talk = opened()
    detail = ErrorDetail(type="capacity", code="full", message="no room")
    talk.take(Error(error=detail).to_json())
    assert talk.report.errors == ["full: no room"]
    with pytest.raises(RefusedError, match="no room") as refusal:
        talk.take(Error(error=detail, fatal=True, retry_after_s=3.0).to_json())
    assert refusal.value.error.retry_after_s == 3.0


def test_a_score_is_sent_thirty_seconds_ahead_of_what_arrived_behind_a_pause() -> None:
    talk = opened()
    talk.perform(notes(100, every_s=1.0))
    first = said(talk)
    assert isinstance(first[0], StreamPause)
    assert isinstance(first[-1], StreamResume)
    assert [m.event_id for m in first if isinstance(m, NoteOn)] == [f"n{i}" for i in range(31)]
    assert said(talk) == []
    talk.take(frame(0, 0, bytes(2 * RATE)))
    assert [m.event_id for m in said(talk) if isinstance(m, NoteOn)] == ["n31"]


def test_a_fast_session_gets_its_events_as_early_as_it_takes_them() -> None:
    talk = opened(mode="fast")
    talk.perform(notes(100, every_s=1.0))
    assert sum(isinstance(m, NoteOn) for m in said(talk)) == 61


def test_no_more_events_are_under_way_than_a_server_lets_wait() -> None:
    talk = opened()
    talk.perform(notes(UNANSWERED + 10, every_s=0.001))
    assert sum(isinstance(m, NoteOn) for m in said(talk)) == UNANSWERED
    talk.take(ControlApplied(event_id="n0", sample=0).to_json())
    detail = ErrorDetail(type="invalid_request", code="invalid_value", message="", event_id="n1")
    talk.take(Error(error=detail).to_json())
    assert sum(isinstance(m, NoteOn) for m in said(talk)) == 2


def test_a_score_is_sent_no_faster_than_the_server_takes_messages() -> None:
    clock, most = Clock(), Limits(voices=1, duration_s=60.0)
    talk = opened("fast", clock=clock)
    talk.perform(NoteOn(event_id=str(i), note=60.0, at_sample=0) for i in range(20_000))
    sent = 0
    for waited_s in (0.0, 0.0, 0.0, 0.25, 0.5):
        clock.now += waited_s
        events = [e for e in said(talk) if isinstance(e, NoteOn)]
        sent += len(events)
        for event in events:
            talk.take(ControlApplied(event_id=event.event_id, sample=0).to_json())
        assert sent <= most.messages_burst / 2 + most.messages_per_s * (clock.now - 100.0)
    assert sent == most.messages_burst / 2 + 3000


def test_a_fast_session_is_held_until_what_is_near_was_sent() -> None:
    clock, most = Clock(), Limits(voices=1, duration_s=60.0)
    talk = opened("fast", clock=clock)
    talk.perform(NoteOn(event_id=str(i), note=60.0, at_sample=0) for i in range(round(most.messages_burst / 2) + 100))
    held = False
    for waited_s, to_wait in ((0.0, False), (0.0, False), (0.0, True), (0.01, True), (0.01, True), (0.01, False)):
        clock.now += waited_s
        for message in said(talk):
            held = isinstance(message, StreamPause) or (held and not isinstance(message, StreamResume))
            if isinstance(message, NoteOn):
                talk.take(ControlApplied(event_id=message.event_id, sample=0).to_json())
        assert held == to_wait


def test_live_sessions_report_what_was_heard_and_fast_ones_do_not() -> None:
    for mode in ("live", "fast"):
        clock = Clock()
        talk = opened(mode=mode, clock=clock)
        talk.take(frame(0, 0, bytes(2 * RATE)))
        clock.now += 0.5
        reports = [m for m in said(talk) if isinstance(m, PlaybackReport)]
        assert [(r.played_sample, r.buffered_ms) for r in reports] == [(22_050, 500.0)] * (mode == "live")
        assert talk.report.underruns == 0


def test_figures_and_warnings_are_kept_and_every_message_is_passed_on() -> None:
    heard: list[ServerMessage] = []
    talk = Conversation(SessionStart(model="tiny"), heard.append)
    stats = Stats(rtf=0.5, ttfa_ms=9.0, lead_ms=180.0, underruns=0, voices=1, batch=1, budget_us=22.676)
    silent = stats.model_copy(update={"rtf": None, "ttfa_ms": None})
    messages = [stats, stats.model_copy(update={"rtf": 0.4}), silent, Warned(code="late_event", message="late")]
    for message in messages:
        talk.take(message.to_json())
    assert heard == messages
    assert (talk.report.rtf, talk.report.worst_rtf, talk.report.ttfa_ms) == (0.4, 0.5, 9.0)
    assert talk.report.warnings == ["late_event: late"]


def resumable(talk: Conversation) -> None:
    """The session that was admitted may be carried on."""
    assert talk.created is not None
    talk.take(talk.created.model_copy(update={"resume_token": "abc"}).to_json())


def test_on_another_connection_the_session_is_asked_for_from_the_next_sample_and_frames_count_from_0() -> None:
    talk = opened()
    resumable(talk)
    talk.outgoing()
    talk.take(frame(0, 0, b"\x01\0\x02\0"))
    talk.reconnect()
    assert talk.created is not None
    (start,) = said(talk)
    assert isinstance(start, SessionStart)
    assert (start.model, start.resume) == ("tiny", Resume(token="abc", next_sample=2))
    talk.take(talk.created.to_json())
    talk.take(AudioStart(sample=2).to_json())
    talk.take(frame(0, 2, b"\x03\0"))
    digest = hashlib.sha256(b"\x01\0\x02\0\x03\0").hexdigest()
    talk.take(AudioDone(samples=3, sha256=digest, reason="ended").to_json())
    assert talk.done is not None
    assert talk.report.reconnects >= 1


def test_what_was_not_answered_is_said_again_once_the_session_is_there_again_and_only_then() -> None:
    talk = opened()
    resumable(talk)
    talk.perform(notes(3, every_s=0.1))
    by_hand = talk.note_on(72)
    talk.outgoing()
    talk.take(ControlApplied(event_id="n0", sample=0).to_json())
    talk.reconnect()
    assert [type(m) for m in said(talk)] == [SessionStart]
    meanwhile = talk.note_on(74)
    assert said(talk) == []
    assert talk.created is not None
    talk.take(talk.created.to_json())
    again = said(talk)
    assert [type(m) for m in (again[0], again[-1])] == [StreamPause, StreamResume]
    assert [m.event_id for m in again if isinstance(m, NoteOn)] == ["n1", "n2", by_hand, meanwhile]


def test_the_clock_and_the_end_that_were_wished_are_wished_again() -> None:
    talk = opened()
    resumable(talk)
    talk.say(StreamPause())
    talk.end()
    for _ in range(2):
        talk.reconnect()
        talk.outgoing()
        assert talk.created is not None
        talk.take(talk.created.to_json())
        assert [type(m) for m in said(talk)] == [StreamPause, SessionEnd]


def test_audio_that_begins_elsewhere_is_refused() -> None:
    talk = opened()
    with pytest.raises(CorruptError, match=r"audio\.start: sample 64 where 0"):
        talk.take(AudioStart(sample=64).to_json())
