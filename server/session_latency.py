"""What one listener notices: its first audio, each delivery, how soon what it does is heard, and what it missed.

All of it is kept by the engine's thread. A delivery finds a session's memory cold, and each piece of it costs a cache
miss; so no more is done there than to put three durations aside, and the rest once a second, for all sessions.
"""

from __future__ import annotations

import math
from array import array
from collections import deque
from collections.abc import Iterable, Mapping
from time import perf_counter
from typing import Final, NamedTuple, TypeAlias

from ostinato.server.latency_report import StepFigures
from ostinato.server.mailbox import Delivered
from ostinato.server.measurements import Step
from ostinato.server.misses import Cause, Miss, MissLedger
from ostinato.server.performance import Applied
from ostinato.server.playhead import Playhead

SECONDS: Final = 60  # kept one by one
SPREAD_SECONDS: Final = 10  # whose deliveries a session's spreads are of
DELIVERIES: Final = 1024  # of one second, that these spreads look at
UNHEARD: Final = 1024  # events whose sound is waited for
CONTROLS: Final = 256  # events that were heard, that a session's spread is of
TIMED: Final = 16  # of so many deliveries the measuring of one is timed, and counts for all
INTERRUPTED_S: Final = 50e-6  # measuring that took longer had lost the processor or the interpreter in between

StepLog: TypeAlias = list[tuple[Step, Mapping[str, int]]]  # a second's steps, with the voices that each session had
QUANTITIES: Final = 3  # of a delivery, in turn: wait, send and lead


class Taken(NamedTuple):
    """What a session put aside since it was last asked, in seconds."""

    deliveries: array[float]  # wait, send and lead of each block in turn
    controls: list[float]  # from an event's receipt to when it is heard
    ttfa: float | None  # from when there was something to hear to the first audio, where that was sent since
    spent: float  # by the measuring itself


class Second(NamedTuple):
    """One second of a session: its worst figures, in seconds. None where there was none."""

    at: float  # its end, seconds of the monotonic clock
    blocks: int
    wait_s: float | None
    send_s: float | None
    lead_s: float | None  # the least after a delivery
    control_s: float | None
    step_us_p99: float | None
    rtf: float | None
    missed: int  # deadlines since the session began


class Noticed(NamedTuple):
    """What a listener noticed by one time. Never written again, so any thread may read it."""

    ttfa_ms: float | None
    steps: StepFigures  # of the last second
    reported_underruns: int
    misses: Mapping[Cause, int]
    seconds: tuple[Second, ...]
    deliveries: tuple[array[float], ...]  # of the last 10 s: wait, send and lead in turn
    controls: tuple[float, ...]  # of the last events, s


class SessionReading(NamedTuple):
    """How a session stood at that time."""

    session_id: str
    model: str
    mode: str
    running: bool
    clock_s: float
    voices: int
    lead_ms: float
    underruns: int
    noticed: Noticed


class SessionLatency:
    """The measurements of one session."""

    def __init__(self, session_id: str, since: float, sample_rate: int, *, live: bool = True) -> None:
        self.ttfa_ms: float | None = None
        self.second = StepFigures()  # of the last whole second
        self.misses: Final = MissLedger(session_id)
        self.steps: StepLog = []  # its model's, since the second began; whoever keeps them clears them
        self.seconds: Final[deque[Second]] = deque(maxlen=SECONDS)
        self.deliveries: Final[deque[array[float]]] = deque(maxlen=SPREAD_SECONDS)
        self.controls: Final[deque[float]] = deque(maxlen=CONTROLS)
        self._session_id, self._since, self._sample_rate, self._live = session_id, since, sample_rate, live
        self._fresh = array("d")  # since the second began: wait, send and lead of each block in turn
        self._heard: list[float] = []  # since then: how long each event took
        self._ttfa: float | None = None  # where the first audio was sent since then
        self._spent_s = 0.0  # since then, by the measuring itself
        self._blocks = 0  # sent before that
        self.free_at = since  # when the socket had taken the last block
        self._expects = True  # the next delivery may settle something: the first audio, an event, a report
        self._asked: dict[str, float] = {}  # events by id, not applied yet: when they were received
        self._applied: deque[tuple[int, float]] = deque(maxlen=UNHEARD)  # (sample, receipt) of those not yet heard

    def awaits_audio(self, at: float) -> None:
        """From now on there is something to hear."""
        if self.ttfa_ms is None:
            self._since = at

    def asked(self, event_id: str, at: float) -> None:
        """The listener did something that is to be heard at once."""
        if len(self._asked) >= UNHEARD:  # the oldest was given up, or will tell nothing of latency
            del self._asked[next(iter(self._asked))]
        self._asked[event_id] = at

    def applied(self, events: Iterable[Applied]) -> None:
        """These are heard from their samples on."""
        for event in events:
            at = self._asked.pop(event.event_id, None)
            if at is not None:
                self._applied.append((event.sample, at))
                self._expects = True

    def reported(self, underruns: int) -> None:
        """The listener says how often it has run dry."""
        self.misses.reported = underruns
        self._expects = True

    def paused(self) -> None:
        """The stream rests: what is heard after that tells nothing of latency."""
        self._asked.clear()
        self._applied.clear()

    def delivered(self, block: Delivered, playhead: Playhead, dry_at: float | None) -> tuple[Miss, ...]:
        """A block was handed to the socket, and the playhead told: the deadlines that were missed.

        `dry_at` is since when a live listener's playhead had been dry, where it was.
        """
        fresh, sent_at = self._fresh, block.sent_at
        began = None if len(fresh) % (QUANTITIES * TIMED) else perf_counter()
        fresh.append(block.taken_at - block.ready_at)
        fresh.append(sent_at - block.taken_at)
        fresh.append(playhead.lead if self._live else math.nan)
        missed = self._settle(block, playhead, dry_at) if self._expects or dry_at is not None else ()
        self.free_at = sent_at
        if began is not None:
            self._spent_s += TIMED * min(perf_counter() - began, INTERRUPTED_S)
        return missed

    def _settle(self, block: Delivered, playhead: Playhead, dry_at: float | None) -> tuple[Miss, ...]:
        if self.ttfa_ms is None:
            self._ttfa = block.sent_at - self._since
            self.ttfa_ms = self._ttfa * 1000.0
        if not self._live:
            self._expects = False
            return ()
        while self._applied:
            heard_at = playhead.when(self._applied[0][0])
            if heard_at is None:
                break
            at = self._applied.popleft()[1]
            self._heard.append(max(heard_at, block.sent_at) - at)  # nothing is heard before it is sent
        self._expects = bool(self._applied)
        return self.misses.settle(block, self.free_at, dry_at, self._blocks + len(self._fresh) // QUANTITIES)

    def end_second(self, known: dict[tuple[int, ...], StepFigures] | None = None) -> None:
        """Let `second` be of the steps that drew its voices; `known` are the figures of steps, by their identities."""
        own = [step for step, voices in self.steps if voices.get(self._session_id)]
        known, key = {} if known is None else known, tuple(map(id, own))
        if key not in known:
            known[key] = StepFigures.of(own, self._sample_rate)
        self.second = known[key]

    def take(self) -> Taken:
        """What was put aside since the last call; the session's last minute has it from now on."""
        fresh, heard = self._fresh, self._heard
        taken = Taken(fresh, heard, self._ttfa, self._spent_s)
        self._fresh, self._heard, self._ttfa, self._spent_s = array("d"), [], None, 0.0
        self._blocks += len(fresh) // QUANTITIES
        self.deliveries.append(fresh if len(fresh) <= QUANTITIES * DELIVERIES else fresh[-QUANTITIES * DELIVERIES :])
        self.controls.extend(heard)
        return taken

    def read(self) -> Noticed:
        """How it stands."""
        return Noticed(
            self.ttfa_ms,
            self.second,
            self.misses.reported,
            dict(self.misses.counts),
            tuple(self.seconds),
            tuple(self.deliveries),
            tuple(self.controls),
        )
