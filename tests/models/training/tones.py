"""Synthetic notes whose phase, pitch and level are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ostinato.models.config import Instrument
from ostinato.models.training.dataset import Recording, Source
from ostinato.models.training.notes import Note, Split
from ostinato.models.training.writing import write_index, write_notes

RATE = 44100
HOP = 64
ATTACK_S = 0.01


def envelope(samples: int, release: int) -> NDArray[np.float64]:
    """Up over `ATTACK_S`, held until `release`, then down by 60 dB in 0.1 s."""
    t = np.arange(samples) / RATE
    after = np.maximum(np.arange(samples) - release, 0) / RATE
    return np.asarray(np.minimum(t / ATTACK_S, 1) * 10 ** (-30 * after))


def tone(
    note: Note, samples: int, start: float = 0.2, level: float = 0.2
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Three harmonics of a note, and the phase of the first in turns: a cosine that begins at `start`."""
    turns = start + np.arange(samples, dtype=np.float64) * (note.hertz / RATE)
    wave = np.zeros(samples)
    for k in (1, 2, 3):
        wave += level / k * np.cos(2 * np.pi * k * turns)
    return (wave * envelope(samples, note.held(HOP, RATE))).astype(np.float32), turns


def recordings(split: Split = Split.TRAIN) -> list[Recording]:
    """A toy data set: four short notes."""
    notes = [Note(key, velocity, 0.0, 0.15, split) for key in (62, 69) for velocity in (64, 100)]
    return [Recording.of(n, tone(n, 300 * HOP, level=n.velocity / 500)[0], hop=HOP, sample_rate=RATE) for n in notes]


def write_recordings(folder: Path, names: Sequence[str] = ("tone",), split: Split = Split.TRAIN) -> float:
    """Write the toy data set into a folder, once for each of these instruments; return the gain."""
    parts = []
    for place, name in enumerate(names):
        notes = [replace(r.note, instrument=place) for r in recordings(split)]
        parts.append(write_notes(folder, name, notes, [r.audio for r in recordings()], sample_rate=RATE, hop=HOP))
    instruments = [Instrument(name=name, low=60, high=71) for name in names]
    sources = [Source(name, "computed", None, "CC0-1.0", part.gain) for name, part in zip(names, parts, strict=True)]
    write_index(folder, instruments, sources, parts, sample_rate=RATE, hop=HOP)
    return parts[0].gain
