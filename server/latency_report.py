"""What is told of latency: the shapes of `GET /v1/latency`. Which quantity is what stands in `latency.py`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydantic import BaseModel, ConfigDict

from ostinato.server.measurements import Spread, Step, quantile
from ostinato.server.misses import Cause


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
    """One model in the last 40 to 60 s, whoever it was for."""

    model_config = ConfigDict(frozen=True)
    step_us: Spread
    us_per_sample: Spread
    rtf: Spread
    batch: int  # streams of the last step in the last second; 0 where there was none
    block_ms: Spread
    wait_ms: Spread
    send_ms: Spread
    delivered_lead_ms: Spread
    control_ms: Spread
    ttfa_ms: Spread


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
    """The whole engine: work by model, deliveries in the last 40 to 60 s, and how listeners stand."""

    model_config = ConfigDict(frozen=True)
    models: dict[str, ModelReport]
    streams: int  # voices that sound
    waiting: int  # listeners, for room
    kept: int  # sessions whose listeners are gone and may come back
    block_ms: Spread  # from choosing a block to handing it to the connections
    wait_ms: Spread  # a block waits for the event loop
    send_ms: Spread  # the socket takes it
    ttfa_ms: Spread  # from session.start or the first note.on, whichever is later, to the first audio sent
    lead_ms: Lead
    delivered_lead_ms: Spread  # audio that a live listener has and has not played, after each delivery
    control_ms: Spread  # from the receipt of an event for now to the estimated moment at which it is heard
    wakeup_ms: Spread  # how late the engine woke from a sleep that it had timed
    signal_ms: Spread  # and how long after somebody had woken it
    underruns: int  # of all live listeners since the start, as far as the server saw
    misses: dict[Cause, int]  # the same by cause, with what only listeners reported
    refused: dict[str, int]  # sessions that were not admitted since the start, by the error's code
    busy: float  # share of the time since the last report that was spent in steps
    awake: float  # share of it in which the engine did anything, or waited for the interpreter
    monitor_share: float | None  # of the engine thread's processor time in the last minute, what measuring took


class SecondReport(BaseModel):
    """One second of a session: its worst figures. None where there was none."""

    model_config = ConfigDict(frozen=True)
    at: float  # its end, seconds since 1970
    blocks: int
    wait_ms: float | None
    send_ms: float | None
    lead_ms: float | None  # the least after a delivery
    control_ms: float | None
    step_us_p99: float | None
    rtf: float | None
    missed: int  # deadlines since the session began


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
    misses: dict[Cause, int]  # what the server saw, and what only the listener did
    ttfa_ms: float | None
    steps: StepFigures  # of the last second
    wait_ms: Spread  # of the last 10 s, as are the following
    send_ms: Spread
    delivered_lead_ms: Spread
    control_ms: Spread


class LatencyReport(BaseModel):
    """`GET /v1/latency`."""

    model_config = ConfigDict(frozen=True)
    budget_us: dict[str, float]  # one sample's time, by model
    engine: EngineReport
    sessions: tuple[SessionReport, ...]


class BlockReport(BaseModel):
    """One block that was drawn."""

    model_config = ConfigDict(frozen=True)
    at: float  # when it was handed over, seconds since 1970
    model: str
    sessions: int
    voices: int
    hops: int
    step_ms: float  # in the sampler
    block_ms: float  # from the choice to the hand-over
    late_ms: float | None  # after its first live listener would have run dry: below 0 is in time


class MissReport(BaseModel):
    """A listener ran dry."""

    model_config = ConfigDict(frozen=True)
    at: float  # when the audio came, or the server took note of a report; seconds since 1970
    session_id: str
    cause: Cause
    late_ms: float | None  # how long there was nothing to play; None where only the listener knows
    times: int


class RecentSession(BaseModel):
    """A session's last minute; one that has ended is kept for a minute."""

    model_config = ConfigDict(frozen=True)
    session_id: str
    model: str
    misses: dict[Cause, int]
    seconds: tuple[SecondReport, ...]


class RecentReport(BaseModel):
    """`GET /v1/latency/recent`: times are seconds since 1970, the earliest first."""

    model_config = ConfigDict(frozen=True)
    now: float
    misses: tuple[MissReport, ...]
    blocks: tuple[BlockReport, ...]
    sessions: tuple[RecentSession, ...]
