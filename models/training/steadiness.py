"""Whether a model stays where it is put: notes held for half a minute, and notes bent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ostinato.models.controls import FRAME
from ostinato.models.sampling.contract import Sampler
from ostinato.models.training.dataset import note_frames
from ostinato.models.training.kinds import SUSTAIN_S, Kind
from ostinato.models.training.measures import Audio, level_db, pitch_cents
from ostinato.models.training.notes import Note
from ostinato.models.training.playing import play_notes

HELD_S: Final = 30.0
SETTLED_S: Final = 1.0  # from here on
WINDOW_S: Final = 1.0
BENDS_CENTS: Final = (-200.0, 200.0)


@dataclass(frozen=True)
class Bent:
    """How a bent note came out."""

    note: Note
    asked_cents: float
    error_cents: float  # of the pitch against what was asked for


@dataclass(frozen=True)
class Held:
    """How a note held for `HELD_S` came out, in windows of `WINDOW_S` from `SETTLED_S` on."""

    note: Note
    level_range_db: float  # the loudest window's level less the softest's
    drift_db: float  # the last window's level less the first's
    pitch_cents: float  # of the window farthest off, either way
    levels_dbfs: tuple[float, ...]


def measure_bends(
    sampler: Sampler, notes: Sequence[Note], kinds: Sequence[Kind], temperature: float, seed: int
) -> list[Bent]:
    """Play each note up and down by `BENDS_CENTS`, and measure its pitch."""
    net = sampler.config.network
    asked = [(note, cents) for note in notes for cents in BENDS_CENTS]
    frames = [held_frames(sampler, note, SUSTAIN_S[1], temperature, cents) for note, cents in asked]
    played = play_notes(sampler, frames, seed)
    bent = []
    for (note, cents), audio in zip(asked, played, strict=True):
        stretch = kinds[note.instrument].stretch(len(audio), net.sample_rate)
        error = pitch_cents(audio[stretch], note.hertz * 2 ** (cents / 1200), net.sample_rate)
        bent.append(Bent(note, cents, error))
    return bent


def measure_held(sampler: Sampler, notes: Sequence[Note], temperature: float, seed: int) -> list[Held]:
    """Hold each note for `HELD_S`, and measure how steady it is."""
    played = play_notes(sampler, [held_frames(sampler, note, HELD_S, temperature) for note in notes], seed)
    rate = sampler.config.network.sample_rate
    return [steadiness(note, audio, rate) for note, audio in zip(notes, played, strict=True)]


def steadiness(note: Note, audio: Audio, sample_rate: int) -> Held:
    """The levels and pitches of a held note [T] of more than two seconds."""
    step = int(WINDOW_S * sample_rate)
    starts = range(int(SETTLED_S * sample_rate), len(audio) - step + 1, step)
    levels = np.array([level_db(audio[at : at + step]) for at in starts])
    cents = np.array([pitch_cents(audio[at : at + step], note.hertz, sample_rate) for at in starts])
    return Held(
        note,
        level_range_db=float(levels.max() - levels.min()),
        drift_db=float(levels[-1] - levels[0]),
        pitch_cents=float(cents[np.abs(cents).argmax()]),
        levels_dbfs=tuple(float(x) for x in levels),
    )


def held_frames(
    sampler: Sampler, note: Note, seconds: float, temperature: float, cents: float = 0.0
) -> NDArray[np.float32]:
    """Control frames of a note that is held all the while, `cents` beside its pitch: [F, channels]."""
    net = sampler.config.network
    count = math.ceil(seconds * net.sample_rate / net.hop)
    frames = note_frames(note, count, hop=net.hop, sample_rate=net.sample_rate, temperature=temperature, cents=cents)
    frames[:, [FRAME.index("gate"), FRAME.index("since_release")]] = (1.0, 0.0)
    return frames
