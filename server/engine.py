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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ostinato.models.checkpoint import Checkpoint
from ostinato.models.sampling.contract import Sampler
from ostinato.server.admission import admit, full
from ostinato.server.latency import LatencyReport, Monitor, budget_us
from ostinato.server.limits import SessionLimits
from ostinato.server.mailbox import Delivered, Opening, announce
from ostinato.server.measurements import Step
from ostinato.server.pool import Card, Pool, SamplerConfig, WarmUp
from ostinato.server.protocol import (
    CloseCode,
    ProtocolError,
)
from ostinato.server.scheduler import Demand, Plan, Scheduler
from ostinato.server.session import Session

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
    idle_s: float = 600.0  # without a word and without a sound
    limits: SessionLimits = field(default_factory=SessionLimits)


@dataclass(frozen=True)
class Block:
    """What was drawn for the sessions of a plan."""

    began: float
    hops: int
    drawn: NDArray[np.float32]  # [voices of all, hops * hop]
    voices: dict[str, int]  # rows of each session, in order


class Engine:
    """Sessions over samplers. `start` it, `open` sessions, `stop` it; all else goes through mailboxes."""

    def __init__(self, checkpoints: Mapping[str, Checkpoint], config: EngineConfig) -> None:
        self.cards: Final = {name: Card.of(checkpoint) for name, checkpoint in checkpoints.items()}
        self.warm_ups: tuple[WarmUp, ...] = ()  # filled when `ready` is set
        self.check_s = 0.0  # what measuring took before that
        self.ready = threading.Event()
        self.fault: Exception | None = None  # why the thread ended before it was stopped
        self.latency: LatencyReport  # replaced once a second
        self._checkpoints = dict(checkpoints)
        self._config = config
        self._openings: queue.Queue[Opening] = queue.Queue(OPENINGS)
        self._woken = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="ostinato-engine", daemon=True)
        self._pools: dict[str, Pool] = {}
        self._measured_at = -math.inf  # again since the models were loaded
        self._sessions: dict[str, Session] = {}
        self._scheduler = Scheduler()
        rates = {name: card.config.network.sample_rate for name, card in self.cards.items()}
        self._monitor = Monitor(time.monotonic(), rates)
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

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def wake(self) -> None:
        """There is something to be read."""
        self._woken.set()

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
                    self._deliver(plan, self._advance(plan))
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
        while not self._openings.empty():
            self._admit(self._openings.get_nowait())
        now = time.monotonic()
        for session in list(self._sessions.values()):
            for at, message in session.mailbox.take():
                with _guarded(session):
                    if isinstance(message, Delivered):
                        self._monitor.delivered(message, session.delivered(message))
                    else:
                        session.hear(message, at)
            with _guarded(session):
                session.expire(now, self._config.idle_s)
            if session.over or session.mailbox.hung_up:
                self._close(session)
        if now - self._reported_at >= STATS_S:
            self._report(now)
        self._announce()

    def _schedule(self) -> Plan | None:
        now = time.monotonic()
        demands: list[Demand] = []
        for session in self._sessions.values():
            with _guarded(session):
                demand = session.demand(now)
                if demand is not None:
                    demands.append(demand)
        live_open = any(s.live and s.running for s in self._sessions.values())
        return self._scheduler.choose(demands, live_open=live_open)

    def _advance(self, plan: Plan) -> Block:
        """Draw the next hops of every voice of the plan's sessions, all together."""
        began, sampler = time.perf_counter(), self._pools[plan.model].sampler
        sessions, hops = [self._sessions[i] for i in plan.sessions], plan.hops
        for session in sessions:
            with _guarded(session):
                for slot, key in session.begin_block().resets:
                    sampler.reset(slot, key)
                hops = min(hops, session.performance.frames_until_change(hops))
        slots: list[int] = []
        frames: list[NDArray[np.float32]] = []
        voices: dict[str, int] = {}
        for session in sessions:
            with _guarded(session):
                sounding = [] if session.over else session.performance.controls(hops)
                slots += [slot for slot, _ in sounding]
                frames += [controls for _, controls in sounding]
                voices[session.id] = len(sounding)
        if frames:
            drawn = self._step(plan, sampler, slots, np.stack(frames), voices)
        else:
            drawn = np.zeros((0, hops * sampler.config.network.hop), dtype=np.float32)
        return Block(began, hops, drawn, voices)

    def _step(
        self,
        plan: Plan,
        sampler: Sampler,
        slots: list[int],
        controls: NDArray[np.float32],
        voices: Mapping[str, int],
    ) -> NDArray[np.float32]:
        """One call of the sampler, timed for whom it draws. Where it fails, the sessions that it was for end."""
        began = time.perf_counter()
        try:
            drawn = sampler.advance(slots, controls)
        except Exception as error:
            for session in (self._sessions[i] for i in plan.sessions):
                with _guarded(session):
                    raise error
            return np.zeros((len(slots), controls.shape[1] * sampler.config.network.hop), dtype=np.float32)
        step = Step(time.monotonic(), time.perf_counter() - began, drawn.shape[1], len(slots))
        self._monitor.stepped(plan.model, step)
        for session_id, count in voices.items():
            if count:
                self._sessions[session_id].latency.carried_by(step)
        return drawn

    def _deliver(self, plan: Plan, block: Block) -> None:
        """Mix each session's voices and hand the audio to its connection."""
        row, now = 0, time.monotonic()
        for session_id, voices in block.voices.items():
            session = self._sessions[session_id]
            if not session.over:
                with _guarded(session):
                    session.deliver(session.performance.mix(block.drawn[row : row + voices], block.hops), now)
            row += voices
        seconds = time.perf_counter() - block.began
        self._monitor.block(seconds)
        self._scheduler.charge(replace(plan, hops=block.hops), seconds)
        self._announce()

    def _announce(self) -> None:
        """Let the connections know of what their mailboxes hold."""
        announce(session.mailbox for session in self._sessions.values())

    def _rest(self) -> None:
        """Sleep until a listener wants more, somebody says something, or statistics are due."""
        if not self._sessions:
            self._measure_again()
            self._woken.wait(STATS_S)
            return
        now = time.monotonic()
        times = [at for at in (s.wakes_at(now) for s in self._sessions.values()) if at is not None]
        until = min([*times, self._reported_at + STATS_S])
        self._woken.wait(max(SHORTEST_WAIT_S, until - now))

    def _admit(self, opening: Opening) -> None:
        """Make a session of an opening, or refuse it."""
        if opening.mailbox.hung_up:
            return
        try:
            session = admit(opening, self._pools, self._sessions.values(), self._config.lead_ms, self._config.limits)
        except ProtocolError as error:
            opening.mailbox.refuse(error)
            announce([opening.mailbox])
        else:
            self._sessions[session.id] = session

    def _close(self, session: Session) -> None:
        announce([session.mailbox])
        del self._sessions[session.id]
        self._pools[session.model].release(session.slots)
        self._monitor.closed(session.underruns)
        if not self._sessions:
            self._report(time.monotonic())

    def _report(self, now: float) -> None:
        """Once a second: what was measured, for whoever asks and for each listener."""
        self._reported_at = now
        for session in self._sessions.values():
            session.latency.end_second()
        sessions = tuple(s.report(now) for s in self._sessions.values())
        self.latency = LatencyReport(
            budget_us={name: budget_us(card.config.network.sample_rate) for name, card in self.cards.items()},
            engine=self._monitor.report(now, sessions),
            sessions=sessions,
        )
        for session in self._sessions.values():
            if session.sounded:
                session.mailbox.put(session.stats(now))

    def _shut(self) -> None:
        """Tell whoever is left."""
        code = CloseCode.GOING_AWAY if self.fault is None else CloseCode.INTERNAL
        leaving = ProtocolError("going_away", "the server stops", kind="internal", close=code)
        for session in list(self._sessions.values()):
            session.fail(leaving)
            self._close(session)
        while not self._openings.empty():
            mailbox = self._openings.get_nowait().mailbox
            mailbox.refuse(leaving)
            announce([mailbox])


@contextmanager
def _guarded(session: Session) -> Iterator[None]:
    """Whatever goes wrong inside is this session's affair alone."""
    try:
        yield
    except ProtocolError as error:
        session.fail(error)
    except Exception:
        log.exception("session %s failed", session.id)
        message = "something went wrong in the server; the session is lost"
        session.fail(ProtocolError("internal", message, kind="internal", close=CloseCode.INTERNAL))
