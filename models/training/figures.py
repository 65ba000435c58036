"""The figures of many notes as one report: what each bar says, and means, medians and worst cases of each split."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ostinato.models.training import bars
from ostinato.models.training.bars import Reading, judge
from ostinato.models.training.evaluation import NoteFigures
from ostinato.models.training.kinds import Kind
from ostinato.models.training.notes import Note, Split
from ostinato.models.training.steadiness import Bent, Held

IN_TUNE_CENTS: Final = 10.0
LEAST_PITCHED_S: Final = 0.5  # of a note whose measured stretch is long enough to tell its pitch and noise


@dataclass(frozen=True)
class Measured:
    """A note of a data set, played and measured."""

    index: int  # among the notes that were played
    note: Note
    kind: Kind
    figures: NoteFigures
    baseline: NoteFigures

    @property
    def label(self) -> str:
        """What it is called in tables."""
        return note_label(self.note, self.kind)

    def readings(self) -> list[Reading]:
        """Its value against each bar that it is subject to."""
        return [Reading(bar, value, self.kind.name, self.note.split.value, self.label) for bar, value in self._values()]

    def _values(self) -> Iterator[tuple[bars.Bar, float]]:
        f = self.figures
        if self.note.held_s >= LEAST_PITCHED_S:
            yield pitch_bar(self.kind), abs(f.pitch_cents)
            yield bars.NOISE, f.hnr_short_db
            yield bars.NOISE_EITHER, abs(f.hnr_short_db)
        yield bars.LEVEL, abs(f.level_db)
        yield bars.LOG_MEL, f.log_mel_db
        yield bars.AFTER_RELEASE, f.after_release_db
        yield bars.SILENCE, f.after_release_dbfs
        yield bars.ONSET_CLICK, f.onset_click_db
        yield bars.RELEASE_CLICK, f.release_click_db
        yield bars.END_CLICK, f.end_click_db
        yield bars.BORDER_CLICK, f.border_click_db

    def badness(self) -> float:
        """Of the bar that it misses by most, or comes nearest to missing: notes are sorted by it."""
        return max(r.badness for r in self.readings())

    def to_json(self) -> dict[str, Any]:
        """Plain fields: the note's own, its figures, the baseline's, and the bars it misses."""
        named = {"index": self.index, "name": self.label, "instrument_name": self.kind.name}
        missed = [r.bar.name for r in self.readings() if not r.passes]
        return (
            self.note.to_json()
            | named
            | asdict(self.figures)
            | {"baseline": asdict(self.baseline), "missed": missed, "badness": self.badness()}
        )


def note_label(note: Note, kind: Kind) -> str:
    """What a note is called in tables."""
    return f"{kind.name}, key {note.key:g}, velocity {note.velocity}"


def pitch_bar(kind: Kind) -> bars.Bar:
    """How exactly an instrument's notes must be in tune."""
    if kind.section:
        return bars.SECTION_PITCH
    return bars.DECAYING_PITCH if kind.decays else bars.PITCH


@dataclass(frozen=True)
class Results:
    """All that was measured of a model."""

    notes: Sequence[Measured]
    bends: Sequence[Bent]
    held: Sequence[Held]
    bits: dict[tuple[str, str], dict[str, float]]  # of each instrument and split that has notes
    kinds: Sequence[Kind]

    def readings(self) -> list[Reading]:
        """Everything's value against every bar it is subject to."""
        return [
            *(reading for m in self.notes for reading in m.readings()),
            *(self._reading(b.note, bars.BENT_PITCH, abs(b.error_cents), f", {b.asked_cents:+g}") for b in self.bends),
            *(self._reading(h.note, bars.STEADY_LEVEL, h.level_range_db) for h in self.held),
            *(self._reading(h.note, bars.STEADY_PITCH, abs(h.pitch_cents)) for h in self.held),
        ]

    def _reading(self, note: Note, bar: bars.Bar, value: float, suffix: str = "") -> Reading:
        kind = self.kinds[note.instrument]
        return Reading(bar, value, kind.name, note.split.value, note_label(note, kind) + suffix)


def make_report(results: Results) -> dict[str, Any]:
    """Everything as plain numbers, ready for JSON."""
    readings = results.readings()
    return {
        "bars": judge(readings),
        "splits": {
            split: part | {"bars": judge(r for r in readings if r.split == split)}
            for split, part in _by_split(results).items()
        },
        "instruments": {
            kind.name: {
                "decays": kind.decays,
                "section": kind.section,
                "bars": judge(r for r in readings if r.instrument == kind.name),
                "splits": {
                    split: part | results.bits.get((kind.name, split), {})
                    for split, part in _by_split(results, kind).items()
                },
                "bends": summarise_bends([b for b in results.bends if results.kinds[b.note.instrument] == kind]),
            }
            for kind in results.kinds
            if any(m.kind == kind for m in results.notes)
        },
        "bends": summarise_bends(results.bends) | {"each": [_bent(b, results.kinds) for b in results.bends]},
        "held": [_held(h, results.kinds) for h in results.held],
        "notes": [m.to_json() for m in results.notes],
    }


def _by_split(results: Results, kind: Kind | None = None) -> dict[str, dict[str, Any]]:
    """Summaries of the notes of each split that has any, of one instrument or of all."""
    parts = {}
    for split in Split:
        some = [m for m in results.notes if m.note.split is split and kind in (None, m.kind)]
        if some:
            parts[split.value] = summarise([m.figures for m in some]) | {
                "baseline": summarise([m.baseline for m in some])
            }
    return parts


def _bent(bent: Bent, kinds: Sequence[Kind]) -> dict[str, Any]:
    kind = kinds[bent.note.instrument]
    return {
        "name": note_label(bent.note, kind),
        "instrument_name": kind.name,
        "asked_cents": bent.asked_cents,
        "error_cents": bent.error_cents,
    }


def _held(held: Held, kinds: Sequence[Kind]) -> dict[str, Any]:
    kind = kinds[held.note.instrument]
    named = {"name": note_label(held.note, kind), "instrument_name": kind.name}
    return named | {name: value for name, value in asdict(held).items() if name != "note"}


def summarise(figures: Sequence[NoteFigures]) -> dict[str, Any]:
    """Mean, median and worst of each figure over some notes; of pitch and level, the size of the error."""
    column = {f.name: np.array([getattr(n, f.name) for n in figures]) for f in fields(NoteFigures)}
    cents, short = np.abs(column["pitch_cents"]), column["recording_hnr_db"] - column["hnr_db"]
    same: Sequence[str] = (
        "log_mel_db", "after_release_dbfs", "after_release_db",
        "onset_click_db", "release_click_db", "end_click_db", "border_click_db",
    )  # fmt: skip
    return {
        "notes": len(figures),
        "in_tune": float(np.mean(cents <= IN_TUNE_CENTS)),
        "pitch_error_cents": spread(cents),
        "recording_pitch_error_cents": spread(np.abs(column["recording_pitch_cents"])),
        "hnr_db": spread(column["hnr_db"], np.min),
        "recording_hnr_db": spread(column["recording_hnr_db"], np.min),
        "hnr_short_db": spread(short),
        "level_error_db": spread(np.abs(column["level_db"])),
        "level_difference_db": float(column["level_db"].mean()),
    } | {name: spread(column[name]) for name in same}


def summarise_bends(bends: Sequence[Bent]) -> dict[str, Any]:
    """How well bent notes keep to the pitch that was asked for."""
    if not bends:
        return {"notes": 0}
    return {"notes": len(bends), "pitch_error_cents": spread(np.abs(np.array([b.error_cents for b in bends])))}


def spread(
    values: NDArray[np.float64], worst: Callable[[NDArray[np.float64]], np.float64] = np.max
) -> dict[str, float]:
    """Mean, median and worst."""
    return {"mean": float(values.mean()), "median": float(np.median(values)), "worst": float(worst(values))}
