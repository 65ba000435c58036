"""What a model must reach, and which notes reach it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True)
class Bar:
    """A figure's limit: a note passes where its value is no greater."""

    name: str
    unit: str
    limit: float
    aim: float | None = None  # better than the limit
    scale: float = 10.0  # how much beyond the limit is as bad as twice the limit


PITCH: Final = Bar("pitch of held notes", "cents", 10.0)
SECTION_PITCH: Final = Bar("pitch of sections", "cents", 15.0)
DECAYING_PITCH: Final = Bar("pitch of decaying notes", "cents", 10.0)
BENT_PITCH: Final = Bar("pitch of notes bent by 200 cents", "cents", 10.0)
NOISE: Final = Bar("harmonic-to-noise ratio short of the recording's", "dB", 6.0, aim=3.0, scale=6.0)
NOISE_EITHER: Final = Bar("harmonic-to-noise ratio off the recording's, either way", "dB", 6.0, aim=3.0, scale=6.0)
LEVEL: Final = Bar("level off the recording's", "dB", 2.0, scale=2.0)
LOG_MEL: Final = Bar("log-mel distance", "dB", 6.0, aim=4.0, scale=6.0)
AFTER_RELEASE: Final = Bar("from 300 ms after release, against the note", "dB", -40.0)
SILENCE: Final = Bar("from 300 ms after release", "dBFS", -60.0)
STEADY_LEVEL: Final = Bar("level of a note held for 30 s, greatest less least", "dB", 3.0)
STEADY_PITCH: Final = Bar("pitch of a note held for 30 s", "cents", 10.0)
ONSET_CLICK: Final = Bar("click at the onset, beyond the recording's", "dB", 6.0)
RELEASE_CLICK: Final = Bar("click at the release, beyond the recording's", "dB", 6.0)
END_CLICK: Final = Bar("click where the voice ends", "dB", 6.0)
BORDER_CLICK: Final = Bar("clicks at the borders of hops, beyond the recording's", "dB", 1.5, scale=1.5)

BARS: Final = (
    PITCH, SECTION_PITCH, DECAYING_PITCH, BENT_PITCH, NOISE, NOISE_EITHER, LEVEL, LOG_MEL, AFTER_RELEASE, SILENCE,
    STEADY_LEVEL, STEADY_PITCH, ONSET_CLICK, RELEASE_CLICK, END_CLICK, BORDER_CLICK,
)  # fmt: skip


@dataclass(frozen=True)
class Reading:
    """One note's value against one bar."""

    bar: Bar
    value: float
    instrument: str
    split: str
    note: str  # what it is called in tables

    @property
    def passes(self) -> bool:
        """Whether it reaches the bar; what is no number does not."""
        return self.value <= self.bar.limit

    @property
    def badness(self) -> float:
        """How far it lies beyond its limit, in units that compare between bars; negative within it."""
        return (self.value - self.bar.limit) / self.bar.scale


def judge(readings: Iterable[Reading]) -> list[dict[str, Any]]:
    """A row for each bar that has readings: how many notes pass, and the worst of them."""
    by_bar: dict[Bar, list[Reading]] = {}
    for reading in readings:
        by_bar.setdefault(reading.bar, []).append(reading)
    return [verdict(bar, by_bar[bar]) for bar in BARS if bar in by_bar]


def verdict(bar: Bar, readings: Sequence[Reading]) -> dict[str, Any]:
    """One bar over some notes, as plain fields."""
    worst = max(readings, key=lambda r: r.value)
    row = {
        "name": bar.name,
        "unit": bar.unit,
        "limit": bar.limit,
        "passed": sum(r.passes for r in readings),
        "of": len(readings),
        "worst": worst.value,
        "worst_note": worst.note,
    }
    if bar.aim is not None:
        aim = bar.aim
        row |= {"aim": aim, "reached_aim": sum(r.value <= aim for r in readings)}
    return row
