"""The latency monitor: what a step costs against the time that a sample has, and what listeners notice of it.

Real-time factor (rtf) is seconds of work per second of audio: below 1 is faster than real time. A step is one sample
of every active stream; `step_us` is its time, `us_per_sample` its share per stream, `rtf` = `step_us` / budget, the
budget being one sample's time (22.676 us at 44.1 kHz). All of it is kept by the engine's thread alone.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from pydantic import BaseModel, ConfigDict

from ostinato.server.mailbox import Delivered

WINDOW: Final = 1024  # measurements that percentiles look back on


def budget_us(sample_rate: int) -> float:
    """One sample's time in microseconds."""
    return round(1e6 / sample_rate, 3)


class Spread(BaseModel):
    """The median and the 99th percentile of a sliding window; None before anything was measured."""

    model_config = ConfigDict(frozen=True)
    p50: float | None = None
    p99: float | None = None
    count: int = 0  # since the start


class Window:
    """The last measurements of one quantity."""

    def __init__(self, size: int = WINDOW) -> None:
        self._ring = np.zeros(size)
        self._count = 0

    def add(self, value: float) -> None:
        """Take a measurement."""
        self._ring[self._count % len(self._ring)] = value
        self._count += 1

    def spread(self) -> Spread:
        """What the window shows."""
        if not self._count:
            return Spread()
        p50, p99 = np.percentile(self._ring[: self._count], (50, 99))
        return Spread(p50=round(float(p50), 4), p99=round(float(p99), 4), count=self._count)


class EngineReport(BaseModel):
    """The whole engine: times of work, then of delivery."""

    model_config = ConfigDict(frozen=True)
    step_us: Spread
    us_per_sample: Spread
    rtf: Spread
    batch: int  # streams of the last step
    block_ms: Spread  # from choosing a block to handing it to the connections
    wait_ms: Spread  # a block waits for the event loop
    send_ms: Spread  # the socket takes it
    ttfa_ms: Spread  # from session.start or the first note.on, whichever is later, to the first audio sent
    busy: float  # share of the time since the last report that was spent in steps


class SessionReport(BaseModel):
    """One session."""

    model_config = ConfigDict(frozen=True)
    session_id: str
    model: str
    mode: str
    clock_s: float  # audio drawn
    voices: int  # sounding
    lead_ms: float  # audio sent and, as far as is known, not played
    underruns: int  # deliveries after the listener had run dry
    reported_underruns: int  # what the listener says
    ttfa_ms: float | None
    rtf: float | None  # of the engine that carries it


class LatencyReport(BaseModel):
    """`GET /v1/latency`."""

    model_config = ConfigDict(frozen=True)
    budget_us: dict[str, float]  # one sample's time, by model
    engine: EngineReport
    sessions: tuple[SessionReport, ...]


class SessionLatency:
    """How long a listener waited for its first audio."""

    def __init__(self, since: float) -> None:
        self.ttfa_ms: float | None = None
        self.reported_underruns = 0
        self._since = since

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


class Monitor:
    """The engine's measurements."""

    def __init__(self, now: float) -> None:
        self.batch = 0
        self._step_us, self._us_per_sample, self._rtf = Window(), Window(), Window()
        self._block_ms, self._wait_ms, self._send_ms, self._ttfa_ms = Window(), Window(), Window(), Window()
        self._worked_s, self._since = 0.0, now

    def stepped(self, seconds: float, samples: int, streams: int, sample_rate: int) -> None:
        """`samples` steps over `streams` streams took so long."""
        step_us = seconds / samples * 1e6
        self._step_us.add(step_us)
        self._us_per_sample.add(step_us / streams)
        self._rtf.add(step_us * sample_rate / 1e6)
        self.batch = streams
        self._worked_s += seconds

    def block(self, seconds: float) -> None:
        """A block took so long from choice to hand-over."""
        self._block_ms.add(seconds * 1000.0)

    def delivered(self, block: Delivered, ttfa_ms: float | None) -> None:
        """A connection has sent a block."""
        self._wait_ms.add((block.taken_at - block.ready_at) * 1000.0)
        self._send_ms.add((block.sent_at - block.taken_at) * 1000.0)
        if ttfa_ms is not None:
            self._ttfa_ms.add(ttfa_ms)

    def report(self, now: float) -> EngineReport:
        """What was measured; `busy` counts from the last report."""
        busy = self._worked_s / max(now - self._since, 1e-6)
        self._worked_s, self._since = 0.0, now
        return EngineReport(
            step_us=self._step_us.spread(),
            us_per_sample=self._us_per_sample.spread(),
            rtf=self._rtf.spread(),
            batch=self.batch,
            block_ms=self._block_ms.spread(),
            wait_ms=self._wait_ms.spread(),
            send_ms=self._send_ms.spread(),
            ttfa_ms=self._ttfa_ms.spread(),
            busy=round(busy, 4),
        )
