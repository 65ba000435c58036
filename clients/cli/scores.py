"""What is to be played: a MIDI file, or notes held together."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ostinato.clients.cli.faults import Fault, bad_input

if TYPE_CHECKING:
    from ostinato.server.score import Playable, Score


@dataclass(frozen=True, slots=True)
class Piece:
    """A MIDI file, or notes that begin together and are held for so many seconds."""

    song: Path | None
    notes: Sequence[float]
    seconds: float
    velocity: float
    instrument: str | None

    def check(self) -> None:
        """Raise a Fault unless it is one of the two."""
        if (self.song is None) == (not self.notes):
            raise Fault("give a MIDI file or --note, one of the two")

    def file(self, song: Path, limit: int) -> bytes:
        """The MIDI file, or just more of it than the limit, which is then refused."""
        with bad_input(OSError, about=str(song)), song.open("rb") as file:
            return file.read(limit + 1)

    def score(self, model: Playable, voices: int) -> Score:
        """Its events for a model; warnings go to stderr. Raises a Fault where it can't be played."""
        from ostinato.server.midi import from_midi
        from ostinato.server.score import ScoreError, ScoreLimits, TimedNote, from_notes

        self.check()
        limits = ScoreLimits(voices=voices)
        if self.song is not None:
            with bad_input(ScoreError, about=str(self.song)):
                score = from_midi(self.file(self.song, limits.file_bytes), model, limits)
        else:
            notes = [TimedNote(n, self.seconds, 0.0, self.velocity, self.instrument) for n in self.notes]
            with bad_input(ScoreError):
                score = from_notes(notes, model, limits)
        warn(score.warnings)
        return score


def warn(warnings: Sequence[str]) -> None:
    """Tell what is done otherwise than asked."""
    for warning in warnings:
        print(f"ostinato: {warning}", file=sys.stderr)


def controls_of(temperature: float | None) -> dict[str, float | str]:
    """What a session begins with."""
    return {} if temperature is None else {"temperature": temperature}
