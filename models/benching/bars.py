"""What the native kernel is held to: one thread, int8."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from ostinato.models.benching.rows import Row


@dataclass(frozen=True)
class Bar:
    """A bound on one figure of one row."""

    model: str
    streams: int
    figure: Literal["us_per_sample", "fraction_of_roofline"]
    bound: float  # at most in microseconds, at least as a fraction

    def met_by(self, measured: float) -> bool:
        """Whether a figure keeps the bound; the bound itself does."""
        return measured <= self.bound if self.figure == "us_per_sample" else measured >= self.bound


BARS: Final = (
    Bar("r64", 1, "us_per_sample", 7.0),
    Bar("r64", 1, "fraction_of_roofline", 0.6),
    Bar("r32", 1, "us_per_sample", 2.2),
    Bar("r16", 1, "us_per_sample", 1.0),
    Bar("default", 1, "us_per_sample", 2.5),
    Bar("default", 16, "us_per_sample", 1.3),
)


@dataclass(frozen=True)
class Verdict:
    """A bar, and what a run made of it."""

    model: str
    streams: int
    figure: str
    bound: float
    measured: float | None  # None where the run has no such row
    met: bool | None
    speedup_vs_torch: float | None  # of the row, same run


def judge(rows: Iterable[Row], bars: Iterable[Bar] = BARS) -> tuple[Verdict, ...]:
    """Hold every bar against its row: native, int8, one thread."""
    held = {(r.model, r.slots): r for r in rows if (r.engine, r.precision, r.threads) == ("native", "int8", 1)}
    return tuple(_verdict(bar, held.get((bar.model, bar.streams))) for bar in bars)


def _verdict(bar: Bar, row: Row | None) -> Verdict:
    measured: float | None = getattr(row, bar.figure) if row else None
    return Verdict(
        model=bar.model,
        streams=bar.streams,
        figure=bar.figure,
        bound=bar.bound,
        measured=measured,
        met=None if measured is None else bar.met_by(measured),
        speedup_vs_torch=row.speedup_vs_torch if row else None,
    )
