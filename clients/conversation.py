"""A client's side of one session, sans I/O: frames in, audio and frames out, everything checked.

The sync and the async client wrap this: they carry frames, and it knows what they mean.
"""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ostinato.clients.errors import CorruptError, RefusedError
from ostinato.clients.playhead import Playhead
from ostinato.clients.report import Report
from ostinato.server.protocol import (
    Allowance,
    AudioDone,
    ClientMessage,
    ControlApplied,
    ControlUpdate,
    Encoding,
    Error,
    Event,
    FrameHeader,
    NoteOff,
    NoteOn,
    PlaybackReport,
    ProtocolError,
    ServerMessage,
    SessionCreated,
    SessionEnd,
    SessionStart,
    Stats,
    StreamPause,
    StreamResume,
    Warned,
    parse_server,
)

AHEAD_S: Final = 30.0  # of what has arrived: how early a score's events are sent to a live session
UNANSWERED: Final = 4096  # events under way at most; the server lets 8192 wait
REPORT_EVERY_S: Final = 0.25
IN_HAND_S: Final = 0.08  # before the playhead starts, or half the session's lead where that is less

HEADER_BYTES: Final = len(FrameHeader(0, 0).pack())
SAMPLE_BYTES: Final[Mapping[Encoding, int]] = {"pcm_s16le": 2, "pcm_f32le": 4}


def in_hand_s(lead_ms: float) -> float:
    """What a listener gathers before it plays, where the server runs so far ahead."""
    return min(IN_HAND_S, lead_ms / 2000.0)


@dataclass(frozen=True, slots=True)
class Block:
    """Some audio, as it came."""

    first_sample: int
    pcm: bytes
    encoding: Encoding

    @property
    def samples(self) -> NDArray[np.float32]:
        """Float32 in [-1, 1]."""
        if self.encoding == "pcm_f32le":
            return np.frombuffer(self.pcm, dtype="<f4").astype(np.float32)
        return np.frombuffer(self.pcm, dtype="<i2").astype(np.float32) / np.float32(32767.0)


class Conversation:
    """What was said and heard so far.

    Args:
        start: the session that is asked for; its framing must be "header".
        heard: called with every message of the server, after it was taken in.
        clock: seconds, for the playhead and the reports.
    """

    def __init__(
        self,
        start: SessionStart,
        heard: Callable[[ServerMessage], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if start.framing != "header":
            raise ValueError(f"framing: {start.framing!r}, but only with headers can a stream be checked")
        self.report: Final = Report()
        self.created: SessionCreated | None = None
        self.done: AudioDone | None = None
        self._heard, self._clock = heard, clock
        self._start = start
        self._outbox: deque[ClientMessage] = deque([start])
        self._began = self._reported = clock()
        self._event_numbers = count()
        self._score: deque[Event] = deque()
        self._unanswered: set[str] = set()
        self._allowance: Allowance | None = None  # of a score's events
        self._held = False  # a fast session's clock, by this side
        self._sequence, self._received = 0, 0
        self._hash = hashlib.sha256()
        self._playhead: Playhead | None = None

    @property
    def dry(self) -> bool:
        """Whether the playhead stands in the middle of the stream, having played all that came."""
        return self.done is None and self._playhead is not None and self._playhead.dry(self._clock())

    def heard_at(self, sample: int) -> float | None:
        """The time at which the playhead plays a sample; None while that is not known, for it has not arrived."""
        return self._playhead.when(sample) if self._playhead else None

    def say(self, message: ClientMessage) -> None:
        """Put a message into the outbox."""
        if isinstance(message, Event):
            self._unanswered.add(message.event_id)
        self._outbox.append(message)

    def next_event_id(self) -> str:
        """An id that no event of this conversation has."""
        return f"e{next(self._event_numbers)}"

    def perform(self, events: Iterable[Event]) -> None:
        """Play events of known samples, in order of time, each sent when its time is near.

        The session's clock is held until the first of them are there, so that none is late.
        """
        self._score.extend(events)
        self.say(StreamPause())
        self._say_what_is_near()
        if not self._held:
            self.say(StreamResume())

    def outgoing(self) -> list[str]:
        """The text frames to be sent now; empties the outbox."""
        if self.created is None:
            self._began = self._clock()
        if self.created and not self.done:
            self._say_what_is_near()
            self._say_what_was_heard()
        frames = []
        while self._outbox:  # one by one: another thread may be saying something
            frames.append(self._outbox.popleft().to_json())
        return frames

    def take(self, frame: str | bytes) -> Block | None:
        """Take a frame of the server; audio is handed on.

        Raises:
            RefusedError: where the server gives the session up.
            CorruptError: where the frame is none of this protocol, leaves a gap, or the hash is wrong.
        """
        try:
            if isinstance(frame, bytes):
                return self._take_audio(frame)
            message = parse_server(frame)
        except ProtocolError as error:
            raise CorruptError(str(error)) from error
        self._take_message(message)
        self._heard(message)
        return None

    def _take_audio(self, frame: bytes) -> Block:
        header, pcm = FrameHeader.unpack(frame), frame[HEADER_BYTES:]
        if self.created is None:
            raise CorruptError("audio before session.created")
        if header.sequence != self._sequence:
            raise CorruptError(f"sequence: {header.sequence} came where {self._sequence} was to come")
        if header.first_sample != self._received:
            raise CorruptError(f"first sample: {header.first_sample} came where {self._received} was to come")
        size = SAMPLE_BYTES[self._start.format.encoding]
        if len(pcm) % size:
            raise CorruptError(f"a frame of {len(pcm)} bytes splits a sample")
        now = self._clock()
        if self._received == 0:
            self.report.first_audio_ms = 1000.0 * (now - self._began)
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        self._received += len(pcm) // size
        self._hash.update(pcm)
        self._play(len(pcm) // size, now)
        return Block(header.first_sample, pcm, self._start.format.encoding)

    def _play(self, samples: int, now: float) -> None:
        self.report.samples = self._received
        if self._playhead:
            self._playhead.arrive(samples, now)
            self.report.underruns = self._playhead.underruns
            if self._playhead.least_buffered_s < float("inf"):
                self.report.least_buffered_ms = 1000.0 * self._playhead.least_buffered_s

    def _take_message(self, message: ServerMessage) -> None:
        match message:
            case SessionCreated():
                self.created = message
                # half of what may come at once: what the network holds back for a while comes at once, too
                most = message.limits
                self._allowance = Allowance(most.messages_per_s, most.messages_burst / 2, self._clock())
                if self._start.mode == "live":
                    self._playhead = Playhead(message.format.sample_rate, in_hand_s(message.lead_ms))
            case Stats():
                self.report.measured(message)
            case ControlApplied():
                self._unanswered.discard(message.event_id)
            case Warned():
                self.report.warned(message)
            case Error():
                if message.fatal:
                    raise RefusedError(message)
                self._unanswered.discard(message.error.event_id or "")
                self.report.erred(message)
            case AudioDone():
                self._check_whole(message)
                self.done = message

    def _check_whole(self, done: AudioDone) -> None:
        if done.samples != self._received:
            raise CorruptError(f"samples: {self._received} arrived of {done.samples}")
        if done.sha256 != self._hash.hexdigest():
            raise CorruptError(f"sha256: {self._hash.hexdigest()} arrived, {done.sha256} was sent")

    def _say_what_is_near(self) -> None:
        if not self.created or not self._allowance:
            return
        # a fast session may be far ahead of what has arrived: it gets events as early as it takes them
        ahead_s = AHEAD_S if self._start.mode == "live" else self.created.limits.ahead_s
        wait_s = 0.0
        near = self._received + ahead_s * self.created.format.sample_rate
        while self._score and (self._score[0].at_sample or 0) <= near and len(self._unanswered) < UNANSWERED:
            wait_s = self._allowance.take(self._clock())
            if wait_s:
                break
            self.say(self._score.popleft())
        if self._start.mode == "fast" and bool(wait_s) != self._held:  # it would run past what is yet to be sent
            self._held = not self._held
            self.say(StreamPause() if self._held else StreamResume())

    def _say_what_was_heard(self) -> None:
        now = self._clock()
        if self._playhead and self._received and now - self._reported >= REPORT_EVERY_S:
            self._reported = now
            self.say(
                PlaybackReport(
                    played_sample=self._playhead.position(now),
                    buffered_ms=1000.0 * self._playhead.buffered_s(now),
                    underruns=self._playhead.underruns,
                )
            )

    def note_on(self, note: float, velocity: float = 0.8, voice_id: str | None = None) -> str:
        """Play a MIDI note now; return its event_id."""
        event = NoteOn(event_id=self.next_event_id(), note=note, velocity=velocity, voice_id=voice_id)
        self.say(event)
        return event.event_id

    def note_off(self, note: float | None = None, voice_id: str | None = None) -> str:
        """Let a note go, by its number or its voice_id."""
        event = NoteOff(event_id=self.next_event_id(), note=note, voice_id=voice_id)
        self.say(event)
        return event.event_id

    def control(self, params: Mapping[str, float | str], voice_id: str | None = None, ramp_ms: float = 0.0) -> str:
        """Steer what the model lists, for one voice or all."""
        event = ControlUpdate(event_id=self.next_event_id(), params=params, voice_id=voice_id, ramp_ms=ramp_ms)
        self.say(event)
        return event.event_id

    def end(self) -> None:
        """Let everything go; the tail still comes."""
        self.say(SessionEnd())
