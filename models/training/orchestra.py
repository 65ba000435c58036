"""The orchestra: its instruments, the soundfonts' recordings behind them, and the notes to render.

Of the General MIDI programs of FluidR3 and MuseScore General those were chosen that are most nearly a sum of
harmonics of their own fundamental (see the card of the default model), and of these the ones whose tone changes with
velocity, where there is a choice. Single recordings that are hardly such a sum (less than 5 dB of it in 0.1 s: wide
vibrato in a room) are left out; their keys are played from the recording beside them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ostinato.models.config import Instrument
from ostinato.models.training.notes import Note, Split
from ostinato.models.training.render import FLUID, MUSESCORE
from ostinato.models.training.soundfont import Zone, recording_of

VELOCITIES: Final = (32, 64, 96, 120)
HELD_OUT_VELOCITY: Final = 80
VELOCITY_SPREAD: Final = 12  # bent takes are played up to so much harder or softer
VELOCITY_GAP: Final = 6  # but never so near to the held-out velocity

BEND_CENTS: Final = 60.0  # neighbouring keys overlap
SUSTAIN_S: Final = 2.0
RING_S: Final = 2.5  # of what is plucked
BENT_S: Final = 1.5
SHORT_S: Final = (0.1, 0.8)


@dataclass(frozen=True)
class Part:
    """An instrument, and where its notes come from."""

    instrument: Instrument
    soundfont: str
    program: int  # General MIDI, from 0
    held_out_recordings: tuple[str, ...]  # inner ones, so that there are others below and above
    held_out_keys: tuple[int, ...]  # at no border between recordings, where no answer is right
    plucked: bool = False
    replaced: tuple[tuple[int, int, int], ...] = ()  # (first key, last key, the key played for them)
    licence: str = "MIT"

    def played(self, key: int) -> int:
        """The key that is played on the soundfont for a key of the instrument."""
        return next((instead for first, last, instead in self.replaced if first <= key <= last), key)


def _part(
    name: str, low: int, high: int, programs: tuple[int, ...], source: tuple[str, int], recordings: tuple[str, ...],
    keys: tuple[int, ...], *, plucked: bool = False, replaced: tuple[tuple[int, int, int], ...] = (),
) -> Part:  # fmt: skip
    instrument = Instrument(name=name, low=low, high=high, programs=programs)
    return Part(instrument, *source, recordings, keys, plucked, replaced)


ORCHESTRA: Final = (
    _part(
        "flute", 60, 96, (*range(52, 55), *range(72, 80), 82, 85, 91), (FLUID, 73), ("Flute B4(L)",), (64, 77, 90),
        replaced=((79, 81, 82),),
    ),
    _part(
        "clarinet", 50, 91, (*range(16, 24), 71, 80), (MUSESCORE, 71), ("Clarinet C#5", "Clarinet D6"),
        (55, 67, 79, 87),
    ),
    _part("oboe", 58, 89, (68, 69, 81, 83, 109, 111), (FLUID, 68), ("Oboe A#4(L)",), (61, 67, 78)),
    _part("trumpet", 54, 84, tuple(range(56, 64)), (FLUID, 56), ("tp_c4",), (60, 69, 80)),
    _part(
        "tenor sax", 44, 76, (*range(64, 68), 70), (MUSESCORE, 66), ("Sax-Tenor G4", "Sax-Tenor D#5"), (46, 57, 67, 75)
    ),
    _part(
        "violin", 55, 96, (40, 41, 44, *range(48, 52), 110), (MUSESCORE, 40), ("Violin F5",), (57, 63, 76, 88),
        replaced=((59, 61, 58), (72, 74, 71), (78, 80, 77), (81, 86, 87), (90, 93, 94)),
    ),
    _part("cello", 36, 76, (42, 43), (MUSESCORE, 42), ("Cello-A#1", "Cello-B2"), (37, 51, 63, 75)),
    _part(
        "nylon guitar", 40, 83, (*range(16), *range(24, 40), 45, 46, 47, *range(104, 109), 112, 114),
        (MUSESCORE, 24), ("Nylon A5",), (42, 51, 61, 73), plucked=True,
    ),
)  # fmt: skip
"""In the order of the `instrument` control. Programs that no instrument is like go to the one most nearly so."""


def plan_notes(part: Part, zones: tuple[Zone, ...], place: int, seed: int) -> list[Note]:
    """What to render of a part, the `place`-th instrument: every key of its range; a function of the seed.

    A trained key has, at each velocity, one plain long take and one bent by a random amount, and at every second one a
    short take that is let go early. Held out are whole recordings (all keys of a zone), single keys, and a velocity
    at every third key; of these there are plain long takes alone.
    """
    rng = np.random.default_rng((seed, place))
    notes = []
    for key in range(int(part.instrument.low), int(part.instrument.high) + 1):
        notes += [
            Note(key, velocity, cents, held, split, recording_of(zones, part.played(key), velocity), place)
            for velocity, cents, held, split in _takes(part, zones, key, rng)
        ]
    return notes


def _takes(
    part: Part, zones: tuple[Zone, ...], key: int, rng: np.random.Generator
) -> list[tuple[int, float, float, Split]]:
    """The velocity, bend, length and split of each take of a key."""
    long = RING_S if part.plucked else SUSTAIN_S
    split = _split(part, key, recording_of(zones, part.played(key), HELD_OUT_VELOCITY))
    if split is not Split.TRAIN:
        return [(velocity, 0.0, long, split) for velocity in VELOCITIES[1::2]]
    takes: list[tuple[int, float, float, Split]] = [(velocity, 0.0, long, split) for velocity in VELOCITIES]
    for place, velocity in enumerate(VELOCITIES):
        takes.append((_near(velocity, rng), _bend(rng), BENT_S, split))
        if (place + key) % 2:
            takes.append((_near(velocity, rng), _bend(rng), round(float(rng.uniform(*SHORT_S)), 3), split))
    if key % 3 == 0:
        takes.append((HELD_OUT_VELOCITY, 0.0, long, Split.VELOCITY))
    return takes


def _split(part: Part, key: int, recording: str) -> Split:
    if recording in part.held_out_recordings:
        return Split.RECORDING
    return Split.PITCH if key in part.held_out_keys else Split.TRAIN


def _near(velocity: int, rng: np.random.Generator) -> int:
    """A velocity near this one, kept off the one that is held out."""
    near = velocity + int(rng.integers(-VELOCITY_SPREAD, VELOCITY_SPREAD + 1))
    if abs(near - HELD_OUT_VELOCITY) < VELOCITY_GAP:
        near = velocity
    return min(near, 127)


def _bend(rng: np.random.Generator) -> float:
    return round(float(rng.uniform(-BEND_CENTS, BEND_CENTS)), 1)
