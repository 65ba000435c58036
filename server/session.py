"""One listener: what it said, what it is owed, what it was sent. Lives on the engine's thread, told the time."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ostinato.server.event_answers import Answers
from ostinato.server.limits import SessionLimits
from ostinato.server.mailbox import Delivered, Mailbox, Opening
from ostinato.server.misses import Miss
from ostinato.server.outlet import Outlet
from ostinato.server.pacing import Pacing, frame_hops
from ostinato.server.performance import BlockStart, Performance
from ostinato.server.protocol import (
    DURATION_S,
    ClientMessage,
    CloseCode,
    DoneReason,
    Event,
    NoteOn,
    Ping,
    PlaybackReport,
    Pong,
    ProtocolError,
    Resume,
    SessionEnd,
    SessionStart,
    StreamPause,
    StreamResume,
    Warned,
)
from ostinato.server.resume import ResumeTokens
from ostinato.server.scheduler import Demand
from ostinato.server.session_latency import SessionLatency
from ostinato.server.session_telling import created, stats

FAST_AHEAD_S: Final = 1.0  # what a fast session may have waiting for its socket
LIFE_S: Final = DURATION_S + 600.0  # of wall time: the longest stream, and what it takes to begin and to pause
FEED_S: Final = 1.0  # how far ahead of its time an event of a score is submitted


class Session:
    """A performance with its listener: pacing, and what is said to either side.

    The clock starts with the first note.on, unless paused. Live, it then runs on through silence, `lead_ms` ahead of
    the listener; fast, it runs while something sounds or is to come. It stops at `duration_s`, or, once ended, when
    the last voice has faded.
    """

    def __init__(
        self,
        opening: Opening,
        performance: Performance,
        slots: tuple[int, ...],
        seed: int,
        lead_ms: float,
        limits: SessionLimits,
        *,
        tells_steps: bool = True,
    ) -> None:
        start = opening.start
        self.id: Final = opening.session_id
        self.model: Final = start.model
        self.owner: Final = opening.owner
        self.batch: Final = opening.batch
        self.voices: Final = len(slots)  # reserved
        self.seed: Final = seed
        self.lead_ms: Final = lead_ms  # granted
        self.limits: Final = limits
        self.tells_steps: Final = tells_steps  # what steps cost, to its listener: they are its neighbours' too
        self.slots = slots
        self.start: Final[SessionStart] = start
        self.performance: Final = performance
        self.tokens: Final = ResumeTokens(opening.owner) if opening.resumable else None
        hop, rate = performance.hop, performance.sample_rate
        self._frame: Final = frame_hops(start, hop, rate)
        self.pacing: Final = Pacing(lead_ms, self._frame, hop, rate)
        self.playhead: Final = self.pacing.playhead
        self.outlet: Final = Outlet(start, opening.mailbox, self._frame * hop, rate, keeps=opening.resumable)
        self.latency: Final = SessionLatency(self.id, opening.received_at, rate, live=self.live)
        self.over = False  # nothing more will be drawn; the slots are free
        self.outcome: str | None = None  # why it is over: the reason of audio.done, or the code of a fatal error
        asked = None if start.duration_s is None else max(1, round(start.duration_s * rate))
        self._length: Final = opening.samples or asked or round(limits.duration_s * rate)
        self._reason: Final[DoneReason] = "duration" if opening.samples or asked else "limit"
        self._score = deque(opening.score)
        self._answers = Answers()
        self._served_at = self._last_sign = self._opened_at = opening.received_at
        self._bounded: Final = bool(opening.score)  # by its own length
        self._started = bool(opening.score)
        self._paused = self._ending = False

    @property
    def mailbox(self) -> Mailbox:
        """Of the connection that it has now."""
        return self.outlet.mailbox

    @property
    def live(self) -> bool:
        """Whether it is paced by the clock."""
        return self.start.mode == "live"

    @property
    def sounded(self) -> bool:
        """Whether its audio has begun."""
        return self.outlet.begun

    @property
    def running(self) -> bool:
        """Whether its clock runs."""
        return self._started and not self._paused and not self.over

    @property
    def goes_on(self) -> bool:
        """Whether there is more to be drawn: live, while its clock runs; fast, while something sounds or is to come."""
        wanted = self.live or self._score or not self.performance.idle or self._reason == "duration"
        return self.running and bool(wanted)

    def greet(self) -> None:
        """Tell the listener what it was given."""
        self.mailbox.put(created(self))

    def opens_to(self, token: str, owner: str) -> bool:
        """Whether it can be carried on with a token by whoever holds a key of this name."""
        return self.tokens is not None and self.tokens.hold(token, owner)

    def carry_on(self, mailbox: Mailbox, resume: Resume, now: float) -> None:
        """Go on for a listener that comes back: everything from a sample on once more, then what is to come."""
        assert self.tokens is not None
        self.tokens.renew(resume.token)
        self._last_sign = now
        self.playhead.go_on_from(resume.next_sample, now)
        self.pacing.catch_up(now)
        self.outlet.mailbox = mailbox
        self.greet()
        self.outlet.go_on(mailbox, resume.next_sample, now)

    def move(self, slots: tuple[int, ...]) -> Mapping[int, int]:
        """Be drawn in other slots, as many: where each of the former now is."""
        self.slots = slots
        return self.performance.move(slots)

    def hear(self, message: ClientMessage, at: float) -> None:
        """Take what the listener said at a time. Raises ProtocolError where it can't be."""
        if self.tokens is not None:
            self.tokens.confirm()
        if self._sounds or not isinstance(message, Ping | PlaybackReport):  # which come by themselves
            self._last_sign = at
        match message:
            case SessionStart():
                raise ProtocolError("already_started", "type: the session has started already", param="type")
            case PlaybackReport():
                self.playhead.report(message.played_sample, at)
                self.outlet.sent.forget(min(message.played_sample, self.playhead.sent))
                self.latency.reported(message.underruns)
            case StreamPause():
                self._paused = True
                self.pacing.rest()
                self.latency.paused()
            case StreamResume():
                self._resume(at)
                self.latency.awaits_audio(at)
            case SessionEnd():
                self._end(at)
            case Ping():
                self.mailbox.put(Pong(id=message.id))
            case _:
                self._play(message, at)

    def delivered(self, block: Delivered) -> tuple[Miss, ...]:
        """A block was handed to the socket: the deadlines that it shows to have been missed."""
        dry_at = self.playhead.deliver(block.samples, block.sent_at)
        if self._sounds or not self.live:  # what is drawn as fast as it goes is drawn because it is wanted
            self._last_sign = block.sent_at
        if self.batch:  # nobody waits for it, so it tells nothing of how long anybody waits
            return ()
        return self.latency.delivered(block, self.playhead, dry_at if self.live else None)

    def demand(self, now: float) -> Demand | None:
        """What it could be advanced by at this time; None where its clock stands still."""
        if not self.goes_on:
            return None
        clock, left, voices = self.performance.clock, self._hops_left, self.performance.sounding
        if self.live:
            w = self.pacing.wish(clock, left, now)
            return Demand(self.id, self.model, True, w.deadline, w.room, w.block, voices, w.patience, w.usual, w.stuck)
        waiting = clock - self.playhead.sent
        room = int(FAST_AHEAD_S * self.performance.sample_rate - waiting) // self.performance.hop
        block = min(self._frame, left)
        return Demand(self.id, self.model, False, self._served_at, min(room, left), block, voices, batch=self.batch)

    def wakes_at(self, now: float) -> float | None:
        """When a live session will want its next block, or wait for others no longer; None where that takes a word."""
        if not self.running or not self.live:
            return None
        return self.pacing.wakes_at(self.performance.clock, self._hops_left, now)

    def begin_block(self) -> BlockStart:
        """Apply what is due at the clock, and tell the listener."""
        horizon = self.performance.clock + FEED_S * self.performance.sample_rate
        while self._score and self.performance.room and (self._score[0].at_sample or 0) < horizon:
            self.performance.submit(self._score.popleft())
        self.outlet.begin()
        block = self.performance.begin_block()
        if block.applied:
            self.latency.applied(block.applied)
            self.mailbox.put(*self._answers.applied(block.applied))
        if block.warnings:
            self.mailbox.put(*block.warnings)
        return block

    def deliver(self, audio: NDArray[np.float32], now: float) -> None:
        """Hand on the block that ends at the performance's clock; the last one ends the session."""
        end = self.performance.clock
        first = end - len(audio)
        audio = audio[: self._length - first]
        whole = end >= self._length
        last = whole or (self._ending and self.performance.idle)
        paced = self.live and self.mailbox.paced
        self.outlet.send(audio, first, last, self.pacing.leaves_at(end, now) if paced else now)
        self._served_at = now
        if last:
            self._done(first + len(audio), self._reason if whole else "ended", now)

    def expire(self, now: float, idle_s: float) -> None:
        """End it where it has held its slots for too long: without a word or a sound, or at all."""
        if self.over:
            return
        if now - self._last_sign > idle_s and not self._sounds:
            self.fail(ProtocolError("idle", "nothing was said or played for too long", close=CloseCode.IDLE))
        elif now - self._opened_at > LIFE_S - DURATION_S + self.limits.duration_s and not self._bounded:
            self._done(self.performance.clock, "limit", now)

    def fail(self, error: ProtocolError) -> None:
        """Tell the listener; a fatal error ends the session, and nothing is left to come back for."""
        self.mailbox.refuse(error)
        if error.close is not None and not self.over:
            self.over, self.outcome = True, error.detail.code
            if self.tokens is not None:
                self.tokens.revoke()

    def cut_off(self, now: float) -> None:
        """End it where it is, since the server stops."""
        self._done(self.performance.clock, "drained", now)

    @property
    def underruns(self) -> int:
        """Deliveries after a live listener had run dry."""
        return self.playhead.underruns if self.live else 0

    @property
    def _sounds(self) -> bool:
        """Whether a voice is heard, or an event is on its way to be."""
        return self.running and bool(self._score or not self.performance.idle)

    @property
    def _hops_left(self) -> int:
        return -(-(self._length - self.performance.clock) // self.performance.hop)

    def _play(self, event: Event, at: float) -> None:
        if self._answers.knows(event):
            answer = self._answers.again(event)
            if answer is not None:
                self.mailbox.put(answer)
            return
        if self._ending:
            raise ProtocolError("ending", "type: the session is ending", param="type", event_id=event.event_id)
        late = self.performance.submit(event)
        self._answers.take(event)
        if late is not None:
            self.mailbox.put(late)
        if isinstance(event, NoteOn) and not self._started:
            self._started = True
            self.latency.awaits_audio(at)
        if event.at_sample is None and self.running:
            self.latency.asked(event.event_id, at)

    def _resume(self, at: float) -> None:
        if self._paused:
            self._paused = False
            self.pacing.resume(at)

    def _end(self, at: float) -> None:
        """Let everything go; done at once where nothing sounds."""
        given_up = self.performance.finish()
        if given_up:
            self.mailbox.put(Warned(code="events_given_up", message=f"{given_up} events lay after the end"))
        self._score.clear()
        self._ending = True
        self._resume(at)
        if not self._started or (self.performance.sounding == 0 and not self.performance.due):
            self._done(self.performance.clock, "ended", at)

    def _done(self, samples: int, reason: DoneReason, now: float) -> None:
        if self.sounded:
            self.latency.end_second()
            self.mailbox.put(stats(self, now))
        self.outlet.finish(samples, reason)
        self.over, self.outcome = True, reason
