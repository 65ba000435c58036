"""The latency monitor: what a step costs against the time that a sample has, and what listeners notice of it.

Real-time factor (rtf) is seconds of work per second of audio: below 1 is faster than real time. A step is one sample
of every stream of a batch; `step_us` is its time, `us_per_sample` its share per stream, `rtf` = `step_us` / budget,
the budget being one sample's time (22.676 us at 44.1 kHz). Steps are timed by the call of a sampler, that is by the
block. A session is told of the steps that drew its voices; the engine shows each model's. All of it is kept by the
engine's thread alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from pydantic import BaseModel, ConfigDict

from ostinato.server.mailbox import Delivered
from ostinato.server.measurements import Spread, Step, StepWindow, Window, quantile

MODEL_S: Final = 10.0  # how far back the figures of a model look


def budget_us(sample_rate: int) -> float:
    """One sample's time in microseconds."""
    return round(1e6 / sample_rate, 3)


class StepFigures(BaseModel):
    """The steps of a stretch of time. None where it had none."""

    model_config = ConfigDict(frozen=True)
    rtf: float | None = None  # all their work / all the audio they drew: a slow block counts for as long as it took
    us_per_sample: float | None = None  # all their work / the samples of all their streams
    step_us_p50: float | None = None  # over blocks
    step_us_p99: float | None = None
    batch: int = 0  # streams of the last

    @classmethod
    def of(cls, steps: Sequence[Step], sample_rate: int) -> StepFigures:
        """What these steps show."""
        if not steps:
            return cls()
        work_us = 1e6 * sum(step.seconds for step in steps)
        ordered = sorted(step.step_us for step in steps)
        return cls(
            rtf=round(work_us * sample_rate / 1e6 / sum(step.samples for step in steps), 4),
            us_per_sample=round(work_us / sum(step.samples * step.streams for step in steps), 4),
            step_us_p50=round(quantile(ordered, 0.5), 4),
            step_us_p99=round(quantile(ordered, 0.99), 4),
            batch=steps[-1].streams,
        )


class ModelReport(BaseModel):
    """The steps of one model in the last 10 s, whoever they were for."""

    model_config = ConfigDict(frozen=True)
    step_us: Spread
    us_per_sample: Spread
    rtf: Spread
    batch: int  # streams of the last step; 0 where there was none

    @classmethod
    def of(cls, steps: Sequence[Step], sample_rate: int) -> ModelReport:
        """What these steps show."""
        times = [step.step_us for step in steps]
        return cls(
            step_us=Spread.of(times),
            us_per_sample=Spread.of(step.us_per_sample for step in steps),
            rtf=Spread.of(times, scale=sample_rate / 1e6),
            batch=steps[-1].streams if steps else 0,
        )


class Lead(BaseModel):
    """How far the live listeners whose clocks run are from running dry, ms, at the time of the report."""

    model_config = ConfigDict(frozen=True)
    least: float | None = None
    p50: float | None = None
    most: float | None = None

    @classmethod
    def of(cls, leads_ms: Iterable[float]) -> Lead:
        """The spread of these."""
        ordered = sorted(leads_ms)
        return cls(least=ordered[0], p50=quantile(ordered, 0.5), most=ordered[-1]) if ordered else cls()


class EngineReport(BaseModel):
    """The whole engine: times of work by model, times of delivery (the last 1024 each), and how listeners stand."""

    model_config = ConfigDict(frozen=True)
    models: dict[str, ModelReport]
    streams: int  # voices that sound
    block_ms: Spread  # from choosing a block to handing it to the connections
    wait_ms: Spread  # a block waits for the event loop
    send_ms: Spread  # the socket takes it
    ttfa_ms: Spread  # from session.start or the first note.on, whichever is later, to the first audio sent
    lead_ms: Lead
    underruns: int  # of all live listeners since the start
    busy: float  # share of the time since the last report that was spent in steps


class SessionReport(BaseModel):
    """One session."""

    model_config = ConfigDict(frozen=True)
    session_id: str
    model: str
    mode: str
    running: bool  # its clock runs
    clock_s: float  # audio drawn
    voices: int  # sounding
    lead_ms: float  # audio sent and, as far as is known, not played
    underruns: int  # deliveries after the listener had run dry
    reported_underruns: int  # what the listener says
    ttfa_ms: float | None
    steps: StepFigures  # of the last second


class LatencyReport(BaseModel):
    """`GET /v1/latency`."""

    model_config = ConfigDict(frozen=True)
    budget_us: dict[str, float]  # one sample's time, by model
    engine: EngineReport
    sessions: tuple[SessionReport, ...]


class SessionLatency:
    """How long a listener waited for its first audio, and the steps that drew what it hears."""

    def __init__(self, since: float, sample_rate: int) -> None:
        self.ttfa_ms: float | None = None
        self.reported_underruns = 0
        self.second = StepFigures()  # of the last whole second
        self._since, self._sample_rate = since, sample_rate
        self._steps: list[Step] = []  # since the second began

    def awaits_audio(self, at: float) -> None:
        """From now on there is something to hear."""
        if self.ttfa_ms is None:
            self._since = at

    def first_audio(self, at: float) -> float | None:
        """Audio was sent: the wait, where it was the first."""
        if self.ttfa_ms is not None:
            return None
        self.ttfa_ms = (at - self._since) * 1000.0
        return self.ttfa_ms

    def carried_by(self, step: Step) -> None:
        """A step drew some of this session's voices. What piles up is bounded by `end_second`, once a second."""
        self._steps.append(step)

    def end_second(self) -> None:
        """Let `second` be of the steps since the last call."""
        self.second = StepFigures.of(self._steps, self._sample_rate)
        self._steps.clear()


class Monitor:
    """The engine's measurements, over models with these sample rates."""

    def __init__(self, now: float, sample_rates: Mapping[str, int]) -> None:
        self._rates = dict(sample_rates)
        self._steps = {model: StepWindow(MODEL_S) for model in sample_rates}
        self._block_ms, self._wait_ms, self._send_ms, self._ttfa_ms = Window(), Window(), Window(), Window()
        self._worked_s, self._since = 0.0, now
        self._underruns = 0  # of the sessions that are gone

    def stepped(self, model: str, step: Step) -> None:
        """A model's sampler was called."""
        self._steps[model].add(step)
        self._worked_s += step.seconds

    def block(self, seconds: float) -> None:
        """A block took so long from choice to hand-over."""
        self._block_ms.add(seconds * 1000.0)

    def delivered(self, block: Delivered, ttfa_ms: float | None) -> None:
        """A connection has sent a block."""
        self._wait_ms.add((block.taken_at - block.ready_at) * 1000.0)
        self._send_ms.add((block.sent_at - block.taken_at) * 1000.0)
        if ttfa_ms is not None:
            self._ttfa_ms.add(ttfa_ms)

    def closed(self, underruns: int) -> None:
        """A session is gone, after so many underruns."""
        self._underruns += underruns

    def report(self, now: float, sessions: Sequence[SessionReport]) -> EngineReport:
        """What was measured, with the sessions that are open; `busy` counts from the last report."""
        busy = self._worked_s / max(now - self._since, 1e-6)
        self._worked_s, self._since = 0.0, now
        return EngineReport(
            models={name: ModelReport.of(w.since(now), self._rates[name]) for name, w in self._steps.items()},
            streams=sum(s.voices for s in sessions),
            block_ms=self._block_ms.spread(),
            wait_ms=self._wait_ms.spread(),
            send_ms=self._send_ms.spread(),
            ttfa_ms=self._ttfa_ms.spread(),
            lead_ms=Lead.of(s.lead_ms for s in sessions if s.mode == "live" and s.running and s.clock_s > 0.0),
            underruns=self._underruns + sum(s.underruns for s in sessions),
            busy=round(busy, 4),
        )
