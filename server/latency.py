"""The latency monitor: what a step costs against the time that a sample has, and what listeners notice of it.

Real-time factor (rtf) is seconds of work per second of audio: below 1 is faster than real time. A step is one sample
of every stream of a batch; `step_us` is its time, `us_per_sample` its share per stream, `rtf` = `step_us` / budget,
the budget being one sample's time (22.676 us at 44.1 kHz). Steps are timed by the call of a sampler, that is by the
block. A session is told of the steps that drew its voices; the engine shows each model's. All of it is kept by the
engine's thread alone, which puts measurements aside and makes a `Reading` of them once a second. Figures are worked
out of a reading by whoever asks, on a thread of its own. The monitor measures what it costs itself.
"""

from __future__ import annotations

import math
import time
from array import array
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ostinato.server.histograms import Histogram
from ostinato.server.latency_report import StepFigures
from ostinato.server.measurements import Step
from ostinato.server.misses import CAUSES, Cause, Miss
from ostinato.server.reading import Ended, EngineTimes, ModelReading, Reading
from ostinato.server.recent import LOOK_BACK_S, BlockRing
from ostinato.server.session_latency import (
    QUANTITIES,
    Second,
    SessionLatency,
    SessionReading,
    StepLog,
)

MISSES: Final = 1024  # kept one by one at most
ENDED: Final = 128  # sessions that are kept after their end at most


class ModelLatency:
    """The histograms of one model."""

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate: Final = sample_rate
        self.step, self.sample, self.block = Histogram(), Histogram(), Histogram()
        self.wait, self.send, self.lead = Histogram(), Histogram(), Histogram()
        self.control, self.ttfa = Histogram(), Histogram()
        self.work_s = self.audio_s = 0.0  # since the start
        self.batch = 0  # streams of the last step since the last reading
        self.steps: Final[StepLog] = []  # since the second began

    def count_steps(self) -> None:
        """The second is over: its steps go into the histograms."""
        for step, _ in self.steps:
            each = step.seconds / step.samples
            self.step.record(each)
            self.sample.record(each / step.streams)
            self.work_s += step.seconds
            self.audio_s += step.samples / self.sample_rate
        if self.steps:
            self.batch = self.steps[-1][0].streams
        self.steps.clear()

    def fold(self, now: float) -> ModelReading:
        """How it stands."""
        reading = ModelReading(
            self.sample_rate,
            self.batch,
            self.work_s,
            self.audio_s,
            **{
                name: getattr(self, name).fold(now)
                for name in ("step", "sample", "block", "wait", "send", "lead", "control", "ttfa")
            },
        )
        self.batch = 0
        return reading


class Monitor:
    """The engine's measurements, over models with these sample rates. Belongs to the engine's thread."""

    def __init__(self, now: float, sample_rates: Mapping[str, int]) -> None:
        self.blocks: Final = BlockRing(tuple(sample_rates))
        self._models = {model: ModelLatency(rate) for model, rate in sample_rates.items()}
        self._wakeup, self._signal = Histogram(), Histogram()
        self._step_s = 0.0  # of the block that is being drawn
        self._blocks: list[tuple[float, str, int, int, int, float, float, float]] = []  # since the second began
        self._rests: list[tuple[float, float, float, float | None]] = []  # since then
        self._rested_s = self._spent_s = 0.0  # since the start
        self._times: deque[EngineTimes] = deque(maxlen=round(LOOK_BACK_S))
        self._causes: dict[Cause, int] = dict.fromkeys(CAUSES, 0)
        self._refused: Counter[str] = Counter()
        self._misses: deque[Miss] = deque(maxlen=MISSES)
        self._fresh_misses: deque[Miss] = deque(maxlen=MISSES)
        self._ended: deque[Ended] = deque(maxlen=ENDED)
        self.begin(now, 0.0)

    def begin(self, now: float, cpu_s: float) -> None:
        """From now on count the engine's time, its thread having used so much of the processor before."""
        self._began, self._rested_s = now, 0.0
        self._times.clear()
        self._times.append(EngineTimes(now, 0.0, 0.0, cpu_s, self._spent_s))

    def steps(self, model: str) -> StepLog:
        """A model's steps in this second, for the sessions that it carries to look at."""
        return self._models[model].steps

    def stepped(self, model: str, step: Step, voices: Mapping[str, int]) -> None:
        """A model's sampler was called, for so many voices of these sessions."""
        began = time.perf_counter()
        self._models[model].steps.append((step, voices))
        self._step_s = step.seconds
        self._spent_s += time.perf_counter() - began

    def block(self, now: float, model: str, sessions: int, voices: int, hops: int, seconds: float, due: float) -> None:
        """A block took so long from choice to hand-over; `due` is when its first live listener would have run dry.

        Infinite where none is live.
        """
        began = time.perf_counter()
        self._blocks.append((now, model, sessions, voices, hops, self._step_s, seconds, now - due))
        self._step_s = 0.0
        self._spent_s += time.perf_counter() - began

    def rested(self, began: float, until: float, now: float, signalled_at: float | None) -> None:
        """The engine slept, and is awake again: since the time it had set, or since somebody woke it."""
        spent_from = time.perf_counter()
        self._rests.append((began, until, now, signalled_at))
        self._spent_s += time.perf_counter() - spent_from

    def missed(self, miss: Miss) -> None:
        """A listener ran dry."""
        self._causes[miss.cause] += miss.times
        self._misses.append(miss)
        self._fresh_misses.append(miss)

    def fresh_misses(self) -> list[Miss]:
        """Those since the last call."""
        fresh = list(self._fresh_misses)
        self._fresh_misses.clear()
        return fresh

    def refused(self, code: str) -> None:
        """A session was not admitted, for what an error's code says."""
        self._refused[code] += 1

    def closed(self, now: float, session_id: str, model: str, session: SessionLatency) -> None:
        """A session is gone, whatever state it is in."""
        self._collect(now, model, [session])
        self._ended.append(Ended(now, session_id, model, session.read()))

    @contextmanager
    def reporting(self) -> Iterator[None]:
        """What is done inside counts as the monitor's own time."""
        began = time.thread_time()  # long enough for the event loop to take the interpreter: that is not counted
        try:
            yield
        finally:
            self._spent_s += time.thread_time() - began

    def second(self, now: float, sessions: Sequence[tuple[str, SessionLatency]]) -> None:
        """Take what was put aside since the last call, which is of about a second, by the engine and by sessions."""
        figures: dict[tuple[int, ...], StepFigures] = {}  # sessions in one batch share their steps
        by_model: dict[str, list[SessionLatency]] = {}
        for model, session in sessions:
            session.end_second(figures)
            by_model.setdefault(model, []).append(session)
        for model, together in by_model.items():
            self._collect(now, model, together)
        for of in self._models.values():
            of.count_steps()
        self._count_blocks()
        self._count_rests()

    def read(
        self, now: float, cpu_s: float, sessions: tuple[SessionReading, ...], waiting: int = 0, kept: int = 0
    ) -> Reading:
        """What was measured, with the processor time of the engine's thread, the sessions that are open, and others."""
        while self._ended and self._ended[0].at < now - LOOK_BACK_S:
            self._ended.popleft()
        while self._misses and self._misses[0].at < now - LOOK_BACK_S:
            self._misses.popleft()
        awake_s = now - self._began - self._rested_s
        worked_s = sum(of.work_s for of in self._models.values())
        self._times.append(EngineTimes(now, worked_s, awake_s, cpu_s, self._spent_s))
        return Reading(
            at=now,
            since_1970_s=time.time() - time.monotonic(),
            models={name: model.fold(now) for name, model in self._models.items()},
            wakeup=self._wakeup.fold(now),
            signal=self._signal.fold(now),
            times=tuple(self._times),
            causes=dict(self._causes),
            refused=dict(self._refused),
            misses=tuple(self._misses),
            sessions=sessions,
            waiting=waiting,
            kept=kept,
            ended=tuple(self._ended),
        )

    def _count_blocks(self) -> None:
        for block in self._blocks:
            self.blocks.add(*block)
            self._models[block[1]].block.record(block[6])
        self._blocks.clear()

    def _count_rests(self) -> None:
        for began, until, now, signalled_at in self._rests:
            self._rested_s += now - began
            if signalled_at is None:
                self._wakeup.record(now - until)
            else:
                self._signal.record(now - max(signalled_at, began))
        self._rests.clear()

    def _collect(self, now: float, model: str, sessions: Sequence[SessionLatency]) -> None:
        """Take what sessions of a model put aside, and let each know the worst of its second."""
        of, taken = self._models[model], [session.take() for session in sessions]
        joined, worst = _worst([each.deliveries for each in taken])
        of.wait.extend(joined[:, 0])
        of.send.extend(joined[:, 1])
        of.lead.extend(joined[~np.isnan(joined[:, 2]), 2])
        for session, each, (blocks, wait, send, lead) in zip(sessions, taken, worst, strict=True):
            for control in each.controls:
                of.control.record(control)
            if each.ttfa is not None:
                of.ttfa.record(each.ttfa)
            steps, self._spent_s = session.second, self._spent_s + each.spent
            most = max(each.controls, default=None)
            missed = session.misses.known
            session.seconds.append(Second(now, blocks, wait, send, lead, most, steps.step_us_p99, steps.rtf, missed))


def _worst(
    taken: Sequence[array[float]],
) -> tuple[NDArray[np.float64], list[tuple[int, float | None, float | None, float | None]]]:
    """The deliveries of sessions in one: [blocks, QUANTITIES]; and each one's number and worst."""
    joined = np.frombuffer(b"".join(taken)).reshape(-1, QUANTITIES)
    counts = [len(deliveries) // QUANTITIES for deliveries in taken]
    worst: list[tuple[int, float | None, float | None, float | None]] = [(0, None, None, None)] * len(taken)
    there = [number for number, count in enumerate(counts) if count]
    if there:
        starts = np.cumsum([0, *(counts[number] for number in there[:-1])])
        most = np.maximum.reduceat(joined[:, :2], starts).tolist()
        least = np.minimum.reduceat(joined[:, 2], starts).tolist()
        for number, (wait, send), lead in zip(there, most, least, strict=True):
            worst[number] = (counts[number], wait, send, None if math.isnan(lead) else lead)
    return joined, worst
