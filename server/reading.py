"""The state of all measurements at one time, never written again, and the figures that are worked out of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, reduce
from itertools import chain
from operator import add
from typing import Final, NamedTuple

from ostinato.server.histograms import Measured
from ostinato.server.latency_report import (
    BlockReport,
    EngineReport,
    LatencyReport,
    Lead,
    MissReport,
    ModelReport,
    RecentReport,
    RecentSession,
    SecondReport,
    SessionReport,
)
from ostinato.server.measurements import Spread, budget_us
from ostinato.server.misses import Cause, Miss
from ostinato.server.recent import BlockRecord
from ostinato.server.session_latency import QUANTITIES, Noticed, Second, SessionReading

MS: Final = 1e3
US: Final = 1e6


@dataclass(frozen=True, slots=True)
class EngineTimes:
    """Where the engine's time went since its start, in seconds."""

    at: float  # of the monotonic clock
    worked_s: float  # in steps
    awake_s: float  # not asleep
    cpu_s: float  # of the processor
    monitor_s: float  # in measuring


class Ended(NamedTuple):
    """A session that is no more."""

    at: float  # of the monotonic clock
    session_id: str
    model: str
    noticed: Noticed


@dataclass(frozen=True)
class ModelReading:
    """One model's measurements."""

    sample_rate: int
    batch: int  # streams of the last step since the reading before; 0 where there was none
    work_s: float  # in steps since the start
    audio_s: float  # that those steps drew, whatever the number of streams
    step: Measured  # one sample of all streams
    sample: Measured  # its share per stream
    block: Measured
    wait: Measured
    send: Measured
    lead: Measured
    control: Measured
    ttfa: Measured

    def report(self) -> ModelReport:
        """Its figures of late."""
        step = self.step.recent
        return ModelReport(
            step_us=step.spread(US),
            us_per_sample=self.sample.recent.spread(US),
            rtf=step.spread(self.sample_rate),
            batch=self.batch,
            block_ms=self.block.recent.spread(MS),
            wait_ms=self.wait.recent.spread(MS),
            send_ms=self.send.recent.spread(MS),
            delivered_lead_ms=self.lead.recent.spread(MS),
            control_ms=self.control.recent.spread(MS),
            ttfa_ms=self.ttfa.recent.spread(MS),
        )


@dataclass(frozen=True)
class Reading:
    """All that was measured by a time."""

    at: float  # seconds of the monotonic clock
    since_1970_s: float  # what to add to such a time
    models: Mapping[str, ModelReading]
    wakeup: Measured
    signal: Measured
    times: tuple[EngineTimes, ...]  # one for each reading of the last minute, this one last
    causes: Mapping[Cause, int]  # deadlines missed since the start
    refused: Mapping[str, int]  # sessions since the start, by code
    misses: tuple[Miss, ...]  # of the last minute
    sessions: tuple[SessionReading, ...]
    waiting: int  # listeners, for room
    kept: int  # sessions whose listeners may come back
    ended: tuple[Ended, ...]  # in the last minute

    @property
    def streams(self) -> int:
        """Voices that sound."""
        return sum(s.voices for s in self.sessions)

    @cached_property
    def report(self) -> LatencyReport:
        """The figures of late; worked out once, for whoever asks first."""
        return LatencyReport(
            budget_us={name: budget_us(model.sample_rate) for name, model in self.models.items()},
            engine=self._engine(),
            sessions=tuple(_session(s) for s in self.sessions),
        )

    def recent(self, seconds: float, blocks: Iterable[BlockRecord], session_id: str | None) -> RecentReport:
        """What happened in the last so many seconds; where one is named, to that session alone."""
        since = self.at - seconds
        misses = (m for m in self.misses if m.at >= since and session_id in (None, m.session_id))
        known: list[Ended | SessionReading] = [*self.ended, *self.sessions]
        sessions = (s for s in known if session_id in (None, s.session_id))
        return RecentReport(
            now=self._wall(self.at),
            misses=tuple(self._miss(m) for m in misses),
            blocks=tuple(self._block(b) for b in blocks),
            sessions=tuple(
                RecentSession(
                    session_id=s.session_id,
                    model=s.model,
                    misses=dict(s.noticed.misses),
                    seconds=tuple(self._second(x) for x in s.noticed.seconds if x.at >= since),
                )
                for s in sessions
            ),
        )

    def _engine(self) -> EngineReport:
        def together(quantity: str) -> Spread:
            all_models = (getattr(model, quantity) for model in self.models.values())
            return reduce(add, all_models, Measured()).recent.spread(MS)

        first, now = self.times[0], self.times[-1]
        before = self.times[-2] if len(self.times) > 1 else first
        passed = max(now.at - before.at, 1e-6)
        cpu_s = now.cpu_s - first.cpu_s
        return EngineReport(
            models={name: model.report() for name, model in self.models.items()},
            streams=self.streams,
            waiting=self.waiting,
            kept=self.kept,
            block_ms=together("block"),
            wait_ms=together("wait"),
            send_ms=together("send"),
            ttfa_ms=together("ttfa"),
            lead_ms=Lead.of(s.lead_ms for s in self.sessions if s.mode == "live" and s.running and s.clock_s > 0.0),
            delivered_lead_ms=together("lead"),
            control_ms=together("control"),
            wakeup_ms=self.wakeup.recent.spread(MS),
            signal_ms=self.signal.recent.spread(MS),
            underruns=sum(count for cause, count in self.causes.items() if cause != "client"),
            misses=dict(self.causes),
            refused=dict(self.refused),
            busy=round((now.worked_s - before.worked_s) / passed, 4),
            awake=round((now.awake_s - before.awake_s) / passed, 4),
            monitor_share=round((now.monitor_s - first.monitor_s) / cpu_s, 5) if cpu_s > 0.0 else None,
        )

    def _wall(self, at: float) -> float:
        return round(at + self.since_1970_s, 6)

    def _miss(self, miss: Miss) -> MissReport:
        return MissReport(
            at=self._wall(miss.at),
            session_id=miss.session_id,
            cause=miss.cause,
            late_ms=_ms(miss.late_s),
            times=miss.times,
        )

    def _block(self, block: BlockRecord) -> BlockReport:
        return BlockReport(
            at=self._wall(block.at),
            model=block.model,
            sessions=block.sessions,
            voices=block.voices,
            hops=block.hops,
            step_ms=round(block.step_s * MS, 4),
            block_ms=round(block.block_s * MS, 4),
            late_ms=_ms(block.late_s),
        )

    def _second(self, second: Second) -> SecondReport:
        return SecondReport(
            at=self._wall(second.at),
            blocks=second.blocks,
            wait_ms=_ms(second.wait_s),
            send_ms=_ms(second.send_s),
            lead_ms=_ms(second.lead_s),
            control_ms=_ms(second.control_s),
            step_us_p99=second.step_us_p99,
            rtf=second.rtf,
            missed=second.missed,
        )


def _session(s: SessionReading) -> SessionReport:
    def spread(quantity: int) -> Spread:
        each = chain.from_iterable(deliveries[quantity::QUANTITIES] for deliveries in s.noticed.deliveries)
        return Spread.of((x for x in each if not math.isnan(x)), MS)

    return SessionReport(
        session_id=s.session_id,
        model=s.model,
        mode=s.mode,
        running=s.running,
        clock_s=s.clock_s,
        voices=s.voices,
        lead_ms=s.lead_ms,
        underruns=s.underruns,
        reported_underruns=s.noticed.reported_underruns,
        misses=dict(s.noticed.misses),
        ttfa_ms=s.noticed.ttfa_ms,
        steps=s.noticed.steps,
        wait_ms=spread(0),
        send_ms=spread(1),
        delivered_lead_ms=spread(2),
        control_ms=Spread.of(s.noticed.controls, MS),
    )


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * MS, 4)
