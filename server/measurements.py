"""Measurements and what is told of them: medians, 99th percentiles and the worst of what was really measured."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict


def budget_us(sample_rate: int) -> float:
    """One sample's time in microseconds."""
    return round(1e6 / sample_rate, 3)


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


class Spread(BaseModel):
    """The median, the 99th percentile and the greatest; None where nothing was measured."""

    model_config = ConfigDict(frozen=True)
    p50: float | None = None
    p99: float | None = None
    most: float | None = None
    count: int = 0  # measurements that these are of

    @classmethod
    def of(cls, measured: Iterable[float], scale: float = 1.0) -> Spread:
        """The spread of measurements, each times `scale`; nearest rank."""
        ordered = sorted(measured)
        if not ordered:
            return cls()
        return cls(
            p50=round(quantile(ordered, 0.5) * scale, 4),
            p99=round(quantile(ordered, 0.99) * scale, 4),
            most=round(ordered[-1] * scale, 4),
            count=len(ordered),
        )


def quantile(ordered: Sequence[float], share: float) -> float:
    """The least measurement that `share` of them do not exceed: of fewer than 100, the 99th percentile is the worst."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
