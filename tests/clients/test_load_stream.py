"""One listener of a load, driven by hand: what it says, and what it makes of what it hears."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from ostinato.clients.errors import LostError
from ostinato.clients.load_stream import LoadStream, Measures
from ostinato.server.protocol import (
    ControlApplied,
    ControlUpdate,
    FrameHeader,
    NoteOff,
    NoteOn,
    SessionStart,
    parse_client,
)
from tests.clients.test_conversation import RATE, Clock
from tests.clients.test_stream import CREATED


class Wire:
    """What a stream says, kept; frames for it, by the clock."""

    def __init__(self, voices: int = 1) -> None:
        self.clock, self.said, self.measures = Clock(), list[object](), Measures()
        self._sequence = self._sent = 0
        self.stream = LoadStream(
            SessionStart(model="tiny", voices=voices, lead_ms=200.0),
            control_every_s=1.0,
            wait=False,
            measures=self.measures,
            random=Random(0),
            clock=self.clock,
        )
        self.stream.opened(lambda text: self.said.append(parse_client(text)))

    def take(self, frame: str | bytes, after_s: float = 0.0) -> None:
        self.clock.now += after_s
        self.stream.take(frame)

    def audio(self, seconds: float, after_s: float) -> None:
        samples = round(seconds * RATE)
        self.take(FrameHeader(self._sequence, self._sent).pack() + bytes(2 * samples), after_s)
        self._sequence, self._sent = self._sequence + 1, self._sent + samples


def test_first_audio_is_timed_from_the_first_note() -> None:
    async def play() -> Wire:
        wire = Wire()
        wire.take(CREATED, after_s=5.0)
        wire.audio(0.02, after_s=0.125)
        wire.audio(0.02, after_s=0.5)
        return wire

    wire = asyncio.run(play())
    assert [type(m) for m in wire.said[:2]] == [SessionStart, NoteOn]
    assert wire.measures.ttfa_ms.greatest == pytest.approx(125.0)
    assert wire.measures.ttfa_ms.count == 1


def test_a_control_is_timed_until_the_playhead_plays_the_sample_that_it_is_applied_from() -> None:
    async def play() -> Wire:
        wire = Wire()
        wire.take(CREATED)
        wire.audio(0.1, after_s=0.0)  # the playhead starts with 0.08 s in hand: sample n is heard n / RATE from here
        wire.clock.now += 0.05
        wire.stream._steer()
        (control,) = (m for m in wire.said if isinstance(m, ControlUpdate))
        wire.take(ControlApplied(event_id=control.event_id, sample=round(0.15 * RATE)).to_json(), after_s=0.01)
        assert wire.measures.control_ms.count == 0  # its sample may still come late
        wire.audio(0.1, after_s=0.01)
        return wire

    wire = asyncio.run(play())
    assert wire.measures.control_ms.greatest == pytest.approx(100.0)


def test_a_control_that_came_into_a_gap_is_timed_to_when_it_is_heard() -> None:
    async def play() -> Wire:
        wire = Wire()
        wire.take(CREATED)
        wire.audio(0.1, after_s=0.0)
        wire.stream._steer()
        (control,) = (m for m in wire.said if isinstance(m, ControlUpdate))
        wire.take(ControlApplied(event_id=control.event_id, sample=round(0.11 * RATE)).to_json())
        wire.audio(0.05, after_s=0.3)  # it ran dry; there are 0.05 s in hand
        assert wire.measures.control_ms.count == 0
        wire.audio(0.05, after_s=0.1)  # and now 0.1 s: it plays on from sample 0.1 s
        return wire

    wire = asyncio.run(play())
    assert wire.stream.underruns == 1
    assert wire.measures.control_ms.greatest == pytest.approx(410.0)


def test_an_underrun_counts_from_when_it_begins() -> None:
    async def play() -> list[int]:
        wire = Wire()
        wire.take(CREATED)
        wire.audio(0.2, after_s=0.0)
        counts = [wire.stream.underruns]
        for later_s in (0.19, 0.02, 5.0):
            wire.clock.now += later_s
            counts.append(wire.stream.underruns)
        wire.audio(0.2, after_s=0.0)
        counts.append(wire.stream.underruns)
        wire.clock.now += 5.0
        wire.stream.gone(LostError("the connection broke"))
        return [*counts, wire.stream.underruns]

    assert asyncio.run(play()) == [0, 0, 1, 1, 1, 2]


def test_all_voices_sound_from_the_beginning_and_note_follows_note_until_the_end() -> None:
    async def play() -> list[object]:
        wire = Wire(voices=3)
        wire.take(CREATED)
        wire.stream._play(1)
        wire.stream.end()
        return wire.said

    _, first, second, third, off, fourth, end = asyncio.run(play())
    notes = [note for note in (first, second, third, fourth) if isinstance(note, NoteOn)]
    assert len({note.voice_id for note in notes}) == 4
    assert isinstance(off, NoteOff)
    assert off.voice_id == notes[1].voice_id
    assert end.type == "session.end"  # type: ignore[attr-defined]
