"""What a recording's file name says of its note: `violin_C#4_v96.wav`, `key60-velocity64.flac`."""

from __future__ import annotations

import re
from typing import Final

BETWEEN: Final = r"(?:^|(?<=[\s_\-.,()\[\]]))"
AFTER: Final = r"(?=$|[\s_\-.,()\[\]])"
VELOCITY: Final = re.compile(BETWEEN + r"(?:v|vel|velocity)_?(\d{1,3})" + AFTER, re.IGNORECASE)
KEY: Final = re.compile(BETWEEN + r"(?:key|midi|note)_?(\d{1,3})" + AFTER, re.IGNORECASE)
NAME: Final = re.compile(BETWEEN + r"([A-G])(#|s|♯|b|♭)?(-?\d)" + AFTER, re.IGNORECASE)

SEMITONES: Final = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
ACCIDENTALS: Final = {"": 0, "#": 1, "s": 1, "♯": 1, "b": -1, "♭": -1}


def named_velocity(stem: str) -> int | None:
    """The MIDI velocity, 1..127, that a file name states after v, vel or velocity."""
    found = VELOCITY.search(stem)
    return int(found[1]) if found and 1 <= int(found[1]) <= 127 else None


def named_key(stem: str) -> int | None:
    """The MIDI note, 0..127, that a file name states: a number after key, midi or note, or a name, where C4 is 60."""
    if found := KEY.search(stem):
        key = int(found[1])
    elif found := NAME.search(stem):
        accidental = ACCIDENTALS[(found[2] or "").lower()]
        key = SEMITONES[found[1].upper()] + accidental + 12 * (int(found[3]) + 1)
    else:
        return None
    return key if 0 <= key <= 127 else None
