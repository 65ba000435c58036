"""One listener of many: it plays notes, moves a control, listens with a virtual playhead, and measures."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Final, Literal, TypeAlias

from ostinato.clients.conversation import Conversation
from ostinato.clients.errors import CorruptError, RefusedError, StreamError
from ostinato.clients.spread import Spread
from ostinato.clients.websocket import NoRoomError, Send
from ostinato.server.protocol import (
    ControlApplied,
    Error,
    QueueUpdate,
    ServerMessage,
    SessionCreated,
    SessionStart,
    Stats,
)

NOTE_S: Final = (0.5, 2.0)  # how long a note is held, from and to
NOTES: Final = (48, 84)
VELOCITIES: Final = (0.5, 1.0)
BEND_CENTS: Final = 30.0
BEND_MS: Final = 10.0  # the ramp of a bend

Fate: TypeAlias = Literal["opening", "playing", "whole", "refused", "lost", "corrupt", "unreachable"]


@dataclass
class Measures:
    """What all the streams of a run measure together, ms but for the real-time factor."""

    ttfa_ms: Spread = field(default_factory=Spread)
    control_ms: Spread = field(default_factory=Spread)
    rtf: Spread = field(default_factory=Spread)


class QueuedError(StreamError):
    """The server has no room yet, and waiting was not asked for."""


class LoadStream:
    """A session. Each of its voices always sounds: where a note ends, the next begins, at random times.

    Args:
        start: what is asked for.
        control_every_s: between two `control.update`, on average.
        wait: whether to wait where the server queues the session; else that counts as refused.
        measures: shared with the other streams.
        random: what is played, and when.
        clock: seconds.
    """

    def __init__(
        self,
        start: SessionStart,
        *,
        control_every_s: float,
        wait: bool,
        measures: Measures,
        random: Random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.fate: Fate = "opening"
        self.why = ""  # where that was not wished
        self.over: Final = asyncio.Event()
        self.queued = False  # it waits for a place, of which nothing may be heard for long
        self.last_heard = clock()  # a frame of the server, or the beginning
        self._conversation: Final = Conversation(start, self._hear, clock)
        self._voices, self._control_every_s, self._wait = start.voices, control_every_s, wait
        self._measures, self._random, self._clock = measures, random, clock
        self._send: Send = lambda _: None
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._notes: dict[int, str] = {}  # the voice_id of the note that each voice holds
        self._played = 0  # notes
        self._first_note_at: float | None = None
        self._controls: dict[str, float] = {}  # when each was sent that was not acknowledged
        self._ended_dry = False
        self._applied: list[tuple[int, float]] = []  # the sample of each that was, and when it was sent

    @property
    def joined(self) -> bool:
        """Whether the server admitted it."""
        return self._conversation.created is not None

    @property
    def samples(self) -> int:
        """That arrived."""
        return self._conversation.report.samples

    @property
    def underruns(self) -> int:
        """Of the playhead; one that lasts counts, and one that lasted until the end."""
        lasting = self._ended_dry if self.over.is_set() else self._conversation.dry
        return self._conversation.report.underruns + lasting

    @property
    def least_buffered_ms(self) -> float | None:
        """While it played."""
        return self._conversation.report.least_buffered_ms

    @property
    def errors(self) -> list[str]:
        """That the server told and went on, the first hundred."""
        return self._conversation.report.errors

    def end(self) -> None:
        """Let everything go. The tail still comes, and then `over`."""
        self._stop_timers()
        self._conversation.end()
        self._flush()

    # Frames of a WebSocket

    def opened(self, send: Send) -> None:
        """Ask for the session."""
        self._send = send
        self._flush()

    def take(self, frame: str | bytes) -> bool:
        """Listen to a frame; whether more may follow. Raises a StreamError where that is the end."""
        self.last_heard = self._clock()
        block = self._conversation.take(frame)
        if block is not None:
            if block.first_sample == 0 and self._first_note_at is not None:
                self._measures.ttfa_ms.add(1000.0 * (self.last_heard - self._first_note_at))
            if self._applied:
                self._measure_controls()
        self._flush()
        return self._conversation.done is None

    def gone(self, why: StreamError | None) -> None:
        """Keep how it ended."""
        self._stop_timers()
        self._ended_dry = self._conversation.dry
        self.fate, self.why = self._judged(why)
        self.over.set()

    def _judged(self, why: StreamError | None) -> tuple[Fate, str]:
        match why:
            case None:
                done = self._conversation.done
                if done is None:  # it was cut off here
                    return self.fate, ""
                return ("whole", "") if done.reason == "ended" else ("lost", f"ended by the server: {done.reason}")
            case _ if self.joined:
                return ("corrupt" if isinstance(why, CorruptError) else "lost"), str(why)
            case RefusedError() | QueuedError() | NoRoomError():
                return "refused", str(why)
            case _:
                return "unreachable", str(why)

    def _hear(self, message: ServerMessage) -> None:
        match message:
            case SessionCreated():
                self.fate, self.queued = "playing", False
                self._begin()
            case QueueUpdate():
                self.queued = True
                if not self._wait:
                    raise QueuedError(f"queued at position {message.position}")
            case ControlApplied() if message.event_id in self._controls:
                self._applied.append((message.sample, self._controls.pop(message.event_id)))
            case Error() if message.error.event_id is not None:
                self._controls.pop(message.error.event_id, None)
            case Stats() if message.rtf is not None:
                self._measures.rtf.add(message.rtf)
            case _:
                pass

    def _begin(self) -> None:
        """Sound all voices from now on, and move a control now and then."""
        self._first_note_at = self._clock()
        for voice in range(self._voices):
            self._play(voice)
        self._after(self._random.uniform(0.0, self._control_every_s), "control", self._steer)

    def _play(self, voice: int) -> None:
        """End the note of a voice, if there is one, and begin another."""
        if voice in self._notes:
            self._conversation.note_off(voice_id=self._notes[voice])
        self._played += 1
        self._notes[voice] = f"n{self._played}"
        self._conversation.note_on(self._random.randint(*NOTES), self._random.uniform(*VELOCITIES), self._notes[voice])
        self._flush()
        self._after(self._random.uniform(*NOTE_S), f"voice {voice}", lambda: self._play(voice))

    def _steer(self) -> None:
        cents = self._random.uniform(-BEND_CENTS, BEND_CENTS)
        event_id = self._conversation.control({"bend": cents}, ramp_ms=BEND_MS)
        self._controls[event_id] = self._clock()
        self._flush()
        self._after(self._random.uniform(0.5, 1.5) * self._control_every_s, "control", self._steer)

    def _measure_controls(self) -> None:
        """Take the times of the controls whose first sample is there, and so is sure to be heard at its time."""
        waiting = []
        for sample, sent_at in self._applied:
            heard_at = self._conversation.heard_at(sample)
            if heard_at is None:
                waiting.append((sample, sent_at))
            else:
                self._measures.control_ms.add(1000.0 * (heard_at - sent_at))
        self._applied = waiting

    def _flush(self) -> None:
        for text in self._conversation.outgoing():
            self._send(text)

    def _after(self, seconds: float, name: str, act: Callable[[], None]) -> None:
        self._timers[name] = asyncio.get_running_loop().call_later(seconds, act)

    def _stop_timers(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
