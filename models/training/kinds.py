"""What is to be expected of an instrument's notes: that they hold or decay, and how exactly they are in tune."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ostinato.models.training.dataset import Dataset, Recording
from ostinato.models.training.measures import Audio, level_db

SUSTAIN_S: Final = (0.3, 1.5)  # from the onset: where a held note is steady
DECAY_S: Final = (0.05, 1.5)  # where a decaying one is measured: there is nothing steady, and most of it is early
DECAYING_DB_PER_S: Final = 5.0  # a plucked or struck string falls faster, a held note does not
LEVEL_S: Final = 0.05
LEAST_HELD_S: Final = 0.5  # of a note that shows whether it decays

SECTION_PROGRAMS: Final = frozenset(range(48, 55))  # General MIDI, from 0: ensembles and choirs
SECTION_NAMES: Final = ("section", "ensemble", "violins", "violas", "cellos", "celli", "basses", "strings", "choir")


@dataclass(frozen=True)
class Kind:
    """One instrument, as far as measuring goes."""

    name: str
    decays: bool = False
    section: bool = False  # several players, who never agree on the pitch

    def stretch(self, release: int, sample_rate: int) -> slice:
        """The samples of a note that are measured, or the latter half of a shorter note."""
        start, stop = (int(s * sample_rate) for s in (DECAY_S if self.decays else SUSTAIN_S))
        return slice(min(start, release // 2), max(min(stop, release), 1))


def kinds_of(dataset: Dataset) -> tuple[Kind, ...]:
    """What each instrument of a data set is like, by its recordings, its name and where it comes from."""
    kinds = []
    for i, (instrument, source) in enumerate(zip(dataset.instruments, dataset.sources, strict=True)):
        own = [r for r in dataset.recordings if r.note.instrument == i]
        section = is_section(instrument.name, source.program)
        kinds.append(Kind(instrument.name, decays=decays(own, dataset.sample_rate), section=section))
    return tuple(kinds)


def is_section(name: str, program: int | None) -> bool:
    """Whether several players play it, by its name or the General MIDI program it was rendered from."""
    return program in SECTION_PROGRAMS or any(word in name.lower() for word in SECTION_NAMES)


def decays(recordings: Sequence[Recording], sample_rate: int) -> bool:
    """Whether held notes fall by themselves: by the median of their slopes."""
    long = [r for r in recordings if r.release >= LEAST_HELD_S * sample_rate]
    slopes = [slope_db_per_s(r.audio[: r.release], sample_rate) for r in long]
    return bool(slopes) and float(np.median(slopes)) < -DECAYING_DB_PER_S


def slope_db_per_s(audio: Audio, sample_rate: int) -> float:
    """The slope of the straight line through a note's levels, from 0.1 s after its onset on."""
    step = int(LEVEL_S * sample_rate)
    levels = [level_db(audio[at : at + step]) for at in range(2 * step, len(audio) - step + 1, step)]
    if len(levels) < 2:
        return 0.0
    return float(np.polyfit(np.arange(len(levels)) * LEVEL_S, levels, 1)[0])
