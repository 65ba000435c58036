"""The one thread that owns the samplers: schedule, advance, deliver.

It never waits for a socket. The event loop hands it openings through a bounded queue and messages through each
session's mailbox, and wakes it; it answers through the same mailboxes.
"""

from __future__ import annotations

import logging
import math
import queue
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from ostinato.models.checkpoint import Checkpoint
from ostinato.server import session_log
from ostinato.server.admission import Admission, full
from ostinato.server.attendance import Attendance, AttendanceConfig
from ostinato.server.capacity import Capacity, Delay, Overhead
from ostinato.server.departures import GRID_S
from ostinato.server.drawing import Drawing
from ostinato.server.guarded import guarded
from ostinato.server.latency import Monitor
from ostinato.server.latency_report import LatencyReport, RecentReport
from ostinato.server.limits import SessionLimits
from ostinato.server.mailbox import Delivered, Opening, announce
from ostinato.server.pool import Card, Pool, SamplerConfig, WarmUp
from ostinato.server.protocol import (
    CloseCode,
    ProtocolError,
)
from ostinato.server.reading import Reading
from ostinato.server.scheduler import Demand, Plan, Scheduler
from ostinato.server.session import Session
from ostinato.server.session_telling import reading, stats
from ostinato.server.witness import Witness

log = logging.getLogger(__name__)

OPENINGS: Final = 256  # that may wait for the engine
STATS_S: Final = 1.0
SHORTEST_WAIT_S: Final = 0.0005
CHECK_S: Final = 0.25  # of measuring before the first session, shared by all models
MEASURE_AGAIN_S: Final = 5.0  # without a session, where a model is too slow to be live


@dataclass(frozen=True)
class EngineConfig:
    """How samplers are opened, and what sessions get by default."""

    sampler: SamplerConfig = field(default_factory=SamplerConfig)
    lead_ms: float = 200.0
    attendance: AttendanceConfig = field(default_factory=AttendanceConfig)
    limits: SessionLimits = field(default_factory=SessionLimits)
    paced: bool = True  # what is drawn for live listeners leaves at points of a grid


class Engine:
    """Sessions over samplers. `start` it, `open` sessions, `stop` it; all else goes through mailboxes."""

    def __init__(self, checkpoints: Mapping[str, Checkpoint], config: EngineConfig) -> None:
        self.cards: Final = {name: Card.of(checkpoint) for name, checkpoint in checkpoints.items()}
        self.warm_ups: tuple[WarmUp, ...] = ()  # filled when `ready` is set
        self.check_s = 0.0  # what measuring took before that
        self.ready = threading.Event()
        self.fault: Exception | None = None  # why the thread ended before it was stopped
        self.drained = threading.Event()  # nobody is left after `drain`
        self.reading: Reading  # of all measurements; replaced once a second
        self._checkpoints = dict(checkpoints)
        self._config = config
        self._openings: queue.Queue[Opening] = queue.Queue(OPENINGS)
        self._woken, self._woken_at = threading.Event(), 0.0
        self._stopping = False
        self._drain_s: float | None = None
        self._thread = threading.Thread(target=self._run, name="ostinato-engine", daemon=True)
        self._pools: dict[str, Pool] = {}
        self._measured_at = -math.inf  # again since the models were loaded
        rates = {name: card.config.network.sample_rate for name, card in self.cards.items()}
        self._monitor = Monitor(time.monotonic(), rates)
        self._overhead, self._delay = Overhead(time.perf_counter()), Delay()
        capacity = Capacity(self._pools, self._overhead, self._delay, GRID_S if config.paced else 0.0)
        admission = Admission(self._pools, capacity, config.lead_ms, config.limits)
        self._attendance = Attendance(self._pools, admission, config.attendance, Witness(self._monitor))
        self._sessions = self._attendance.sessions
        self._scheduler = Scheduler()
        self._drawing = Drawing(self._pools, self._sessions, self._scheduler, self._monitor, self._overhead)
        self._due = math.inf  # when the first live listener of the plan runs dry
        self._report(time.monotonic())

    # For the event loop

    def start(self) -> None:
        """Load the models and serve; `ready` tells when."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; what still plays is cut off."""
        self._stopping = True
        self.wake()
        self._thread.join()

    def drain(self, seconds: float) -> None:
        """Let nobody else in, and those who are there finish within so many seconds; `drained` tells when."""
        self._drain_s = seconds
        self.wake()

    @property
    def draining(self) -> bool:
        """Whether nobody else is let in."""
        return self._drain_s is not None

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def wake(self) -> None:
        """There is something to be read."""
        if not self._woken.is_set():
            self._woken_at = time.monotonic()
        self._woken.set()

    @property
    def latency(self) -> LatencyReport:
        """The latency monitor's report."""
        return self.reading.report

    def recent(self, seconds: float, session_id: str | None) -> RecentReport:
        """What happened in the last so many seconds, 60 at most; to one session, where it is named."""
        reading = self.reading
        return reading.recent(seconds, self._monitor.blocks.since(reading.at - seconds), session_id)

    def open(self, opening: Opening) -> None:
        """Ask for a session; `session.created` or an error comes by the mailbox. Raises ProtocolError."""
        if opening.start.model not in self.cards:
            known = ", ".join(self.cards)
            message = f"model: {opening.start.model!r} is not served; there are {known}"
            raise ProtocolError("unknown_model", message, param="model", close=CloseCode.BAD_MESSAGE)
        if self.fault is not None:
            raise ProtocolError("internal", "the engine has stopped", kind="internal", close=CloseCode.INTERNAL)
        try:
            self._openings.put_nowait(opening)
        except queue.Full:
            raise full("too many sessions are being opened") from None
        self.wake()

    # On the engine's thread

    def _run(self) -> None:
        try:
            self._load()
            self._monitor.begin(time.monotonic(), time.thread_time())
            self._overhead.idle(time.perf_counter())
        except Exception as error:  # such as a device that can't be had: told by whoever started this one
            self.fault = error
            self._shut()
            return
        try:
            while not self._stopping:
                self._listen()
                plan = self._schedule()
                if plan is None:
                    self._rest()
                else:
                    self._drawing.perform(plan, self._due)
        except Exception as error:
            self.fault = error
            log.exception("the engine stopped")
        finally:
            self._shut()

    def _load(self) -> None:
        for name, checkpoint in self._checkpoints.items():
            self._pools[name] = Pool(checkpoint, self._config.sampler)
        self._checkpoints.clear()
        began = time.perf_counter()
        for pool in self._pools.values():
            pool.measure(CHECK_S / len(self._pools))
        self.check_s = time.perf_counter() - began
        self._tell_costs()
        self.ready.set()

    def _tell_costs(self) -> None:
        self.warm_ups = tuple(pool.showed(name) for name, pool in self._pools.items())

    def _measure_again(self) -> None:
        """What seemed too slow to be live may have been measured at a bad moment, or while it was still set up."""
        if time.monotonic() - self._measured_at < MEASURE_AGAIN_S or all(w.live_voices for w in self.warm_ups):
            return
        for pool in self._pools.values():
            if not pool.live_voices:
                pool.measure(CHECK_S)
        self._measured_at = time.monotonic()
        self._tell_costs()

    def _listen(self) -> None:
        """Take what listeners said, and let go of those that are gone."""
        self._woken.clear()
        now = time.monotonic()
        if self._drain_s is not None:
            self._attendance.drain(self._drain_s, now)
        while not self._openings.empty():
            self._attendance.arrive(self._openings.get_nowait(), now)
        for session in self._sessions.values():
            if session.mailbox.has_mail:
                self._hear(session, now)
        played = bool(self._sessions)
        self._attendance.look_after(now)
        if self._drain_s is not None and self._attendance.empty:
            self.drained.set()
        if now - self._reported_at >= STATS_S or (played and not self._sessions):
            self._report(now)
        self._announce()

    def _hear(self, session: Session, now: float) -> None:
        """Take what one listener said, and what became of its blocks."""
        for at, message in session.mailbox.take():
            with guarded(session):
                if isinstance(message, Delivered):
                    if session.live:  # what its own socket held up is no fault of the event loop
                        free_at = max(message.ready_at, session.latency.free_at)
                        self._delay.seen(message.taken_at - free_at, now)
                    for miss in session.delivered(message):
                        self._monitor.missed(miss)
                else:
                    session.hear(message, at)

    def _schedule(self) -> Plan | None:
        now = time.monotonic()
        demands: list[Demand] = []
        for session in self._sessions.values():
            with guarded(session):
                demand = session.demand(now)
                if demand is not None:
                    demands.append(demand)
        self._due = min((d.deadline for d in demands if d.live), default=math.inf)
        leads = (s.pacing.lead_s for s in self._sessions.values() if s.live and s.running)
        return self._scheduler.choose(demands, now=now, least_lead_s=min(leads, default=None))

    def _announce(self) -> None:
        """Let the connections know of what their mailboxes hold."""
        announce(session.mailbox for session in self._sessions.values())

    def _rest(self) -> None:
        """Sleep until a listener wants more, somebody says something, or statistics are due."""
        if not self._sessions:
            self._measure_again()
            self._sleep(time.monotonic(), STATS_S)
            self._overhead.idle(time.perf_counter())
            return
        now = time.monotonic()
        until = self._reported_at + STATS_S
        for session in self._sessions.values():
            at = session.wakes_at(now)
            session.mailbox.eager = at is None
            if at is not None:
                until = min(until, at)
            elif session.mailbox.has_mail:  # it came before it was waited for, so it woke nobody
                return
        self._sleep(now, max(SHORTEST_WAIT_S, until - now))

    def _sleep(self, now: float, seconds: float) -> None:
        """For so long, or until somebody says something; the monitor is told how late it ends."""
        since = time.perf_counter()
        woken = self._woken.wait(seconds)
        self._overhead.rested(since, time.perf_counter())
        self._monitor.rested(now, now + seconds, time.monotonic(), self._woken_at if woken else None)

    def _report(self, now: float) -> None:
        """Once a second: what was measured, for whoever asks and for each listener."""
        self._reported_at = now
        cpu_s = time.thread_time() if threading.current_thread() is self._thread else 0.0
        with self._monitor.reporting():
            self._monitor.second(now, [(s.model, s.latency) for s in self._sessions.values()])
            there, attendance = tuple(reading(s, now) for s in self._sessions.values()), self._attendance
            self.reading = self._monitor.read(now, cpu_s, there, attendance.waiting, attendance.kept)
        session_log.missed(self._monitor.fresh_misses())
        for session in self._sessions.values():
            if session.sounded:
                session.mailbox.put(stats(session, now))

    def _shut(self) -> None:
        """Tell whoever is left."""
        code = CloseCode.GOING_AWAY if self.fault is None else CloseCode.INTERNAL
        leaving = ProtocolError("going_away", "the server stops", kind="internal", close=code)
        self._attendance.dismiss(leaving, time.monotonic())
        while not self._openings.empty():
            mailbox = self._openings.get_nowait().mailbox
            mailbox.refuse(leaving)
            announce([mailbox])
        self.drained.set()
