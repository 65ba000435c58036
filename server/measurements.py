"""Measurements and what is told of them: medians and 99th percentiles of what was really measured, nearest rank."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel, ConfigDict

WINDOW: Final = 1024  # measurements that a window without a time looks back on
STEPS: Final = 4096  # calls of a sampler that a window of time holds at most


@dataclass(frozen=True, slots=True)
class Step:
    """One call of a sampler: so many steps, each one sample of every stream."""

    at: float  # when it was done, seconds of the monotonic clock
    seconds: float  # of work
    samples: int  # steps
    streams: int

    @property
    def step_us(self) -> float:
        """Microseconds of one step over all its streams, on average."""
        return self.seconds / self.samples * 1e6

    @property
    def us_per_sample(self) -> float:
        """Microseconds of one sample of one stream."""
        return self.step_us / self.streams


class Spread(BaseModel):
    """The median and the 99th percentile; None where nothing was measured."""

    model_config = ConfigDict(frozen=True)
    p50: float | None = None
    p99: float | None = None
    count: int = 0  # measurements that these are of

    @classmethod
    def of(cls, measured: Iterable[float], scale: float = 1.0) -> Spread:
        """The spread of measurements, each times `scale`."""
        ordered = sorted(measured)
        if not ordered:
            return cls()
        return cls(
            p50=round(quantile(ordered, 0.5) * scale, 4),
            p99=round(quantile(ordered, 0.99) * scale, 4),
            count=len(ordered),
        )


def quantile(ordered: Sequence[float], share: float) -> float:
    """The least measurement that `share` of them do not exceed: of fewer than 100, the 99th percentile is the worst."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


class Window:
    """The last measurements of one quantity."""

    def __init__(self, size: int = WINDOW) -> None:
        self._last: deque[float] = deque(maxlen=size)

    def add(self, value: float) -> None:
        """Take a measurement."""
        self._last.append(value)

    def spread(self) -> Spread:
        """What the window shows."""
        return Spread.of(self._last)


class StepWindow:
    """The steps of the last `seconds`, and of those the last `size`."""

    def __init__(self, seconds: float, size: int = STEPS) -> None:
        self._seconds = seconds
        self._last: deque[Step] = deque(maxlen=size)

    def add(self, step: Step) -> None:
        """Take a step, later than those before it."""
        self._last.append(step)

    def since(self, now: float) -> tuple[Step, ...]:
        """Those that are not too old by now; the others are forgotten."""
        while self._last and self._last[0].at < now - self._seconds:
            self._last.popleft()
        return tuple(self._last)
