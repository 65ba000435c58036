"""One listener: what it said, what it is owed, what it was sent. Lives on the engine's thread, told the time."""

from __future__ import annotations

import hashlib
from collections import deque
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ostinato.server.latency import SessionLatency, SessionReport, budget_us
from ostinato.server.mailbox import Audio, Close, Delivered, Opening
from ostinato.server.pcm import encode
from ostinato.server.performance import BlockStart, Performance
from ostinato.server.playhead import Playhead
from ostinato.server.protocol import (
    DURATION_S,
    LAST,
    AudioDone,
    AudioStart,
    ClientMessage,
    CloseCode,
    ControlApplied,
    DoneReason,
    Event,
    FrameHeader,
    NoteOn,
    Ping,
    PlaybackReport,
    Pong,
    ProtocolError,
    SessionEnd,
    SessionStart,
    Stats,
    StreamPause,
    StreamResume,
    Warned,
)
from ostinato.server.scheduler import Demand

FIRST_HOPS: Final = 4  # the shortest block worth its overhead: 6 ms at 44.1 kHz
IN_HAND_S: Final = 0.08  # what a listener is taken to gather before it plays, or half its lead where that is less
FAST_AHEAD_S: Final = 1.0  # what a fast session may have waiting for its socket
REMEMBERED_IDS: Final = 16_384  # event_ids, against sending one twice
LIFE_S: Final = DURATION_S + 600.0  # of wall time: the longest stream, and what it takes to begin and to pause
FEED_S: Final = 1.0  # how far ahead of its time an event of a score is submitted


class Session:
    """A performance with its listener: pacing, encoding, hash and sequence of its stream.

    The clock starts with the first note.on, unless paused. Live, it then runs on through silence, `lead_ms` ahead of
    the listener; fast, it runs while something sounds or is to come. It stops at `duration_s`, or, once ended, when
    the last voice has faded.
    """

    def __init__(
        self,
        opening: Opening,
        model: str,
        performance: Performance,
        slots: tuple[int, ...],
        lead_ms: float,
        longest_s: float = DURATION_S,
    ) -> None:
        start = opening.start
        self.id: Final = opening.session_id
        self.owner: Final = opening.owner
        self.model: Final = model
        self.slots: Final = slots
        self.start: Final[SessionStart] = start
        self.mailbox: Final = opening.mailbox
        self.performance: Final = performance
        self.latency: Final = SessionLatency(opening.received_at, performance.sample_rate)
        self.over = False  # nothing more will be drawn; the slots are free
        rate = performance.sample_rate
        asked = None if start.duration_s is None else max(1, round(start.duration_s * rate))
        self._length: Final = opening.samples or asked or round(longest_s * rate)
        self._longest_s: Final = longest_s
        self._reason: Final[DoneReason] = "duration" if opening.samples or asked else "limit"
        self._lead: Final = max(performance.hop, round(lead_ms / 1000.0 * rate))  # samples
        self.playhead: Final = Playhead(rate, min(round(IN_HAND_S * rate), self._lead // 2))
        block = round(start.format.frame_ms / 1000.0 * rate) // performance.hop
        self._block: Final = max(1, min(block, self._lead // performance.hop // 2 if self.live else block))
        self._score = deque(opening.score)
        self._event_ids: dict[str, None] = {}
        self._hash = hashlib.sha256()
        self._frames = 0  # sent
        self._served_at = self._last_sign = self._opened_at = opening.received_at
        self._bounded: Final = bool(opening.score)  # by its own length
        self._started = bool(opening.score)
        self._announced = self._paused = self._ending = False

    @property
    def live(self) -> bool:
        """Whether it is paced by the clock."""
        return self.start.mode == "live"

    @property
    def sounded(self) -> bool:
        """Whether its audio has begun."""
        return self._announced

    @property
    def running(self) -> bool:
        """Whether its clock runs."""
        return self._started and not self._paused and not self.over

    def hear(self, message: ClientMessage, at: float) -> None:
        """Take what the listener said at a time. Raises ProtocolError where it can't be."""
        if self._sounds or not isinstance(message, Ping | PlaybackReport):  # which come by themselves
            self._last_sign = at
        match message:
            case SessionStart():
                raise ProtocolError("already_started", "type: the session has started already", param="type")
            case PlaybackReport():
                self.playhead.report(message.played_sample, at)
                self.latency.reported_underruns = message.underruns
            case StreamPause():
                self._paused = True
                self.playhead.rest()
            case StreamResume():
                self._paused = False
                self.playhead.resume()
                self.latency.awaits_audio(at)
            case SessionEnd():
                self._end(at)
            case Ping():
                self.mailbox.put(Pong(id=message.id))
            case _:
                self._play(message, at)

    def delivered(self, block: Delivered) -> float | None:
        """A block was handed to the socket: the time to first audio in ms, where it was the first."""
        self.playhead.deliver(block.samples, block.sent_at)
        if self._sounds or not self.live:  # what is drawn as fast as it goes is drawn because it is wanted
            self._last_sign = block.sent_at
        return self.latency.first_audio(block.sent_at)

    def demand(self, now: float) -> Demand | None:
        """What it could be advanced by at this time; None where its clock stands still."""
        if not self.running:
            return None
        clock, hop, left = self.performance.clock, self.performance.hop, self._hops_left
        if self.live:
            position = self.playhead.position(now)
            room = int(position + self._lead - clock) // hop
            deadline = now + (clock - position) / self.performance.sample_rate
            # no longer than what the listener has left, so that at a real-time factor below 1 it comes in time
            block = max(FIRST_HOPS, min(self._block, int(clock - position) // hop))
            block = min(block, self._block, left)
        else:
            if not (self._score or not self.performance.idle or self._length_is_asked):
                return None
            waiting = clock - self.playhead.sent
            room = int(FAST_AHEAD_S * self.performance.sample_rate - waiting) // hop
            deadline, block = self._served_at, min(self._block, left)
        return Demand(self.id, self.model, self.live, deadline, min(room, left), block, self.performance.sounding)

    def wakes_at(self, now: float) -> float | None:
        """When a live session will want its next block; None where that takes a message first."""
        if not self.running or not self.live:
            return None
        block = min(self._block, self._hops_left) * self.performance.hop
        at = self.playhead.when(self.performance.clock + block - self._lead)
        return None if at is None else max(at, now)

    def begin_block(self) -> BlockStart:
        """Apply what is due at the clock, and tell the listener."""
        horizon = self.performance.clock + FEED_S * self.performance.sample_rate
        while self._score and self.performance.room and (self._score[0].at_sample or 0) < horizon:
            self.performance.submit(self._score.popleft())
        if not self._announced:
            self._announced = True
            self.mailbox.put(AudioStart(sample=0))
        block = self.performance.begin_block()
        if block.applied:
            self.mailbox.put(*(ControlApplied(event_id=a.event_id, sample=a.sample) for a in block.applied))
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
        pcm = encode(audio, self.start.format.encoding)
        self._hash.update(pcm)
        header = FrameHeader(self._frames, first, LAST if last else 0).pack() if self.start.framing == "header" else b""
        self.mailbox.put(Audio(header + pcm, len(audio), now))
        self._frames += 1
        self._served_at = now
        if last:
            self._done(first + len(audio), self._reason if whole else "ended", now)

    def expire(self, now: float, idle_s: float) -> None:
        """End it where it has held its slots for too long: without a word or a sound, or at all."""
        if self.over:
            return
        if now - self._last_sign > idle_s and not self._sounds:
            self.fail(ProtocolError("idle", "nothing was said or played for too long", close=CloseCode.IDLE))
        elif now - self._opened_at > LIFE_S - DURATION_S + self._longest_s and not self._bounded:
            self._done(self.performance.clock, "limit", now)

    def fail(self, error: ProtocolError) -> None:
        """Tell the listener; a fatal error ends the session."""
        self.mailbox.refuse(error)
        self.over = self.over or error.close is not None

    def stats(self, now: float) -> Stats:
        """How it does, as its listener is told: `latency.second`, and how it stands now."""
        steps = self.latency.second
        return Stats(
            rtf=steps.rtf,
            us_per_sample=steps.us_per_sample,
            step_us_p50=steps.step_us_p50,
            step_us_p99=steps.step_us_p99,
            ttfa_ms=self.latency.ttfa_ms,
            lead_ms=round(self.playhead.buffered(now) * 1000.0, 1),
            underruns=self.underruns,
            voices=self.performance.sounding,
            batch=steps.batch,
            budget_us=budget_us(self.performance.sample_rate),
        )

    def report(self, now: float) -> SessionReport:
        """How it does, as the monitor shows it."""
        return SessionReport(
            session_id=self.id,
            model=self.model,
            mode=self.start.mode,
            running=self.running,
            clock_s=round(self.performance.clock / self.performance.sample_rate, 3),
            voices=self.performance.sounding,
            lead_ms=round(self.playhead.buffered(now) * 1000.0, 1),
            underruns=self.underruns,
            reported_underruns=self.latency.reported_underruns,
            ttfa_ms=self.latency.ttfa_ms,
            steps=self.latency.second,
        )

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

    @property
    def _length_is_asked(self) -> bool:
        return self._reason == "duration"

    def _play(self, event: Event, at: float) -> None:
        if self._ending:
            raise ProtocolError("ending", "type: the session is ending", param="type", event_id=event.event_id)
        if event.event_id in self._event_ids:
            message = f"event_id: {event.event_id!r} was sent before"
            raise ProtocolError("duplicate_event_id", message, param="event_id", event_id=event.event_id)
        late = self.performance.submit(event)
        self._event_ids[event.event_id] = None
        if len(self._event_ids) > REMEMBERED_IDS:
            del self._event_ids[next(iter(self._event_ids))]
        if late is not None:
            self.mailbox.put(late)
        if isinstance(event, NoteOn) and not self._started:
            self._started = True
            self.latency.awaits_audio(at)

    def _end(self, at: float) -> None:
        """Let everything go; done at once where nothing sounds."""
        given_up = self.performance.finish()
        if given_up:
            self.mailbox.put(Warned(code="events_given_up", message=f"{given_up} events lay after the end"))
        self._score.clear()
        self._ending, self._paused = True, False
        self.playhead.resume()
        if not self._started or (self.performance.sounding == 0 and not self.performance.due):
            self._done(self.performance.clock, "ended", at)

    def _done(self, samples: int, reason: DoneReason, now: float) -> None:
        if self._announced:
            self.latency.end_second()
            self.mailbox.put(self.stats(now))
        self.mailbox.put(AudioDone(samples=samples, sha256=self._hash.hexdigest(), reason=reason))
        self.mailbox.put(Close(CloseCode.DONE, reason))
        self.over = True
