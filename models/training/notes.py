"""One recorded note, as data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Split(StrEnum):
    """What a recording is for: to learn from, or to be tested on because of what it has that no other has."""

    TRAIN = "train"
    PITCH = "held-out pitch"  # a key between trained ones, out of a recording that is also heard at other keys
    VELOCITY = "held-out velocity"
    RECORDING = "held-out recording"  # nothing of it was heard
    TAKE = "held-out take"  # another take of the same note was heard


@dataclass(frozen=True)
class Note:
    """What was played. Its recording begins at the onset."""

    key: float  # MIDI note
    velocity: int  # 1..127
    bend_cents: float
    held_s: float  # from the onset to the release
    split: Split = Split.TRAIN
    recording: str = ""  # the name of what was recorded, of which this is one rendering
    instrument: int = 0  # its place in the data set

    @property
    def pitch(self) -> float:
        """The sounding pitch, as a MIDI note with its fraction."""
        return self.key + self.bend_cents / 100.0

    @property
    def hertz(self) -> float:
        """The sounding pitch."""
        return float(440.0 * 2.0 ** ((self.pitch - 69.0) / 12.0))

    def held(self, hop: int, sample_rate: int) -> int:
        """Samples from the onset to the release, a multiple of the hop."""
        return round(self.held_s * sample_rate / hop) * hop

    def to_json(self) -> dict[str, Any]:
        """Plain fields."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Note:
        """The inverse of `to_json`."""
        return cls(**{**fields, "split": Split(fields["split"])})
