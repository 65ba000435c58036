"""A client's side of one session, sans I/O: frames in, audio and frames out, everything checked.

The sync and the async client wrap this: they carry frames, and it knows what they mean, over as many connections as
the session needs.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from itertools import count
from threading import RLock
from typing import Final

from ostinato.clients.errors import CorruptError, RefusedError
from ostinato.clients.incoming import Block, IncomingAudio
from ostinato.clients.playhead import Hearing, Playhead
from ostinato.clients.report import Report
from ostinato.clients.score_feed import ScoreFeed
from ostinato.server.protocol import (
    AudioDone,
    AudioStart,
    ClientMessage,
    ControlApplied,
    ControlUpdate,
    Error,
    Event,
    NoteOff,
    NoteOn,
    Ping,
    PlaybackReport,
    ProtocolError,
    QueueUpdate,
    Resume,
    ServerDraining,
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

REPORT_EVERY_S: Final = 0.25
IN_HAND_S: Final = 0.08  # before the playhead starts, or half the session's lead where that is less
GREETINGS: Final = (SessionCreated, AudioStart, QueueUpdate, ServerDraining)  # with which a connection may begin


def in_hand_s(lead_ms: float) -> float:
    """What a listener gathers before it plays, where the server runs so far ahead."""
    return min(IN_HAND_S, lead_ms / 2000.0)


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
        self.queued = False  # it waits, or waited, for a place
        self.settled = False  # the connection has given more than a greeting
        self._heard, self._clock = heard, clock
        self._lock = RLock()  # several threads may say something while one takes frames; nobody waits while it is held
        self._start = start
        self._greeted = False  # session.created came on this connection
        self._outbox: deque[ClientMessage] = deque([start])
        self._began = self._reported = clock()
        self._event_numbers = count()
        self._unanswered: dict[str, Event] = {}  # in the order in which they were said
        self._score = ScoreFeed(start.mode)
        self._stands: bool | None = None  # the session's clock, by what was said last of it
        self._ending = False
        self._held = False  # a fast session's clock, by this side
        self._audio = IncomingAudio(start.format.encoding)
        self._playhead: Playhead | None = None
        self._card: Hearing | None = None

    @property
    def dry(self) -> bool:
        """Whether the playhead stands in the middle of the stream, having played all that came."""
        return self.done is None and self._playhead is not None and self._playhead.dry(self._clock())

    @property
    def may_return(self) -> bool:
        """Whether another connection may go on with what was asked for: with the session, or with waiting for one."""
        return self.queued if self.created is None else self.created.resume_token is not None

    @property
    def returning(self) -> bool:
        """Whether the session that there was is asked for again, and not given yet."""
        return self.created is not None and not self._greeted

    def heard_at(self, sample: int) -> float | None:
        """The time at which the playhead plays a sample; None while that is not known, for it has not arrived."""
        return self._playhead.when(sample) if self._playhead else None

    def heard_through(self, card: Hearing) -> None:
        """Report what a sound card plays, instead of a simulated one."""
        self._card = card

    def reconnect(self) -> None:
        """Speak over another connection: ask for the session from the next sample on, or anew where there was none."""
        resume = None
        if self.created is not None:
            resume = Resume(token=self.created.resume_token or "", next_sample=self._audio.received)
        with self._lock:
            self._greeted = self.settled = False
            self._audio.reconnect()
            self._outbox = deque([self._start.model_copy(update={"resume": resume})])

    def say(self, message: ClientMessage) -> None:
        """Put a message into the outbox."""
        with self._lock:
            if isinstance(message, Event):
                self._unanswered[message.event_id] = message
            elif isinstance(message, StreamPause | StreamResume):
                self._stands = isinstance(message, StreamPause)
            elif isinstance(message, SessionEnd):
                self._ending = True
            self._outbox.append(message)

    def probe(self) -> None:
        """Ask the server for a sign of life, where it can be asked."""
        if self._greeted and self.done is None:
            self.say(Ping())

    def next_event_id(self) -> str:
        """An id that no event of this conversation has."""
        return f"e{next(self._event_numbers)}"

    def perform(self, events: Iterable[Event]) -> None:
        """Play events of known samples, in order of time, each sent when its time is near.

        The session's clock is held until the first of them are there, so that none is late.
        """
        with self._lock:
            self._score.add(events)
            self.say(StreamPause())
            self._say_what_is_near()
            if not self._held:
                self.say(StreamResume())

    def outgoing(self) -> list[str]:
        """The text frames to be sent now; takes them out of the outbox."""
        with self._lock:
            if self.created is None:
                self._began = self._clock()
            if self._greeted and not self.done:
                self._say_what_is_near()
                self._say_what_was_heard()
            frames = []
            while self._outbox and (self._greeted or isinstance(self._outbox[0], SessionStart)):
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
        with self._lock:
            self._take_message(message)
        self._heard(message)
        return None

    def _take_audio(self, frame: bytes) -> Block:
        if not self._greeted:
            raise CorruptError("audio before session.created")
        block, now = self._audio.take(frame), self._clock()
        samples = self._audio.received - block.first_sample
        self.settled = True
        if block.first_sample == 0:
            self.report.first_audio_ms = 1000.0 * (now - self._began)
        self.report.samples = self._audio.received
        if self._playhead:
            self._playhead.arrive(samples, now)
            self.report.underruns = (self._card or self._playhead).underruns
            if self._playhead.least_buffered_s < float("inf"):
                self.report.least_buffered_ms = 1000.0 * self._playhead.least_buffered_s
        return block

    def _take_message(self, message: ServerMessage) -> None:
        self.settled = self.settled or (self._greeted and not isinstance(message, GREETINGS))
        match message:
            case SessionCreated():
                self._greet(message)
            case QueueUpdate():
                self.queued = True
            case AudioStart():
                self._audio.check_start(message)
            case Stats():
                self.report.measured(message)
            case ControlApplied():
                self._unanswered.pop(message.event_id, None)
            case Warned():
                self._unanswered.pop(message.event_id or "", None)
                self.report.warned(message)
            case Error():
                if message.fatal:
                    raise RefusedError(message)
                self._unanswered.pop(message.error.event_id or "", None)
                self.report.erred(message)
            case AudioDone():
                self._audio.check_whole(message)
                self.done = message

    def _greet(self, created: SessionCreated) -> None:
        returned, self._greeted = self.created is not None, True
        self.created = created
        self._score.connected(created, self._clock())
        if returned:
            self.report.reconnects += 1
            self._say_again()
        elif self._start.mode == "live":
            self._playhead = Playhead(created.format.sample_rate, in_hand_s(created.lead_ms))

    def _say_again(self) -> None:
        """Whatever the server may have missed; it knows an event by its id.

        The session's clock is held meanwhile, so that no event of a score is late.
        """
        self._outbox.clear()
        self._outbox.extend([Ping()] if self._stands is None else [StreamPause()])
        self._outbox.extend(self._unanswered.values())
        if self._stands is False:
            self._outbox.append(StreamResume())
        if self._ending:
            self._outbox.append(SessionEnd())

    def _say_what_is_near(self) -> None:
        for event in self._score.due(self._audio.received, len(self._unanswered), self._clock()):
            self.say(event)
        if self._start.mode == "fast" and self._score.waits != self._held:  # it would run past what is yet to be sent
            self._held = not self._held
            self.say(StreamPause() if self._held else StreamResume())

    def _say_what_was_heard(self) -> None:
        now, playing = self._clock(), self._card or self._playhead
        if self._playhead and playing and self._audio.received and now - self._reported >= REPORT_EVERY_S:
            self._reported = now
            self.say(
                PlaybackReport(
                    played_sample=playing.position(now),
                    buffered_ms=1000.0 * playing.buffered_s(now),
                    underruns=playing.underruns,
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
