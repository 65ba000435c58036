"""One channel of a MIDI file: what it was told, and which of its notes hear what it is told next."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

DEFAULT_BEND_RANGE: Final = 200.0  # cents


@dataclass(slots=True, eq=False)
class Sounding:
    """A note whose end is not known yet, or that still rings."""

    key: int
    velocity: int
    instrument: int
    on: int
    off: int | None = None
    bends: list[tuple[int, float]] = field(default_factory=list)


@dataclass(slots=True)
class Channel:
    """What one of the 16 channels was told, and the notes that hear what it is told next."""

    program: int | None = None
    wheel: int = 0  # -8192..8191
    bend_range: float = DEFAULT_BEND_RANGE  # cents
    parameter: tuple[int | None, int | None] = (None, None)  # the RPN that data entry goes to: coarse, fine
    pedal: bool = False
    held: dict[int, deque[Sounding]] = field(default_factory=dict)  # by key, the oldest first
    pedalled: dict[int, list[Sounding]] = field(default_factory=dict)  # by key: let go, and held by the pedal
    ringing: list[Sounding] = field(default_factory=list)  # let go, and not silent yet

    @property
    def bend(self) -> float:
        """Cents."""
        return self.wheel / 8192.0 * self.bend_range

    def set_bend_range(self, value: int, *, coarse: bool) -> None:
        """Take whole semitones (coarse) or the cents beyond them."""
        semitones, cents = divmod(self.bend_range, 100.0)
        self.bend_range = 100.0 * value + cents if coarse else 100.0 * semitones + value

    def let_go(self, sample: int, note: Sounding) -> None:
        """A key goes up: the note ends, or the pedal holds it."""
        if self.pedal:
            self.pedalled.setdefault(note.key, []).append(note)
        else:
            self.end(sample, note)

    def let_all_go(self, sample: int) -> None:
        """Every key goes up."""
        for note in [note for notes in self.held.values() for note in notes]:
            self.let_go(sample, note)
        self.held.clear()

    def press(self, sample: int, *, down: bool) -> None:
        """The pedal goes down, or up."""
        self.pedal = down
        if not down:
            self.lift(sample)

    def lift(self, sample: int) -> None:
        """What the pedal held ends."""
        for note in [note for notes in self.pedalled.values() for note in notes]:
            self.end(sample, note)
        self.pedalled.clear()

    def end(self, sample: int, note: Sounding) -> None:
        """A note is over, and rings out."""
        note.off = sample
        self.ringing.append(note)

    def audible(self, sample: int, release: int) -> list[Sounding]:
        """Every note that a bend at this sample is heard on."""
        self.ringing = [note for note in self.ringing if note.off is not None and sample < note.off + release]
        held = [note for notes in self.held.values() for note in notes]
        pedalled = [note for notes in self.pedalled.values() for note in notes]
        return held + pedalled + self.ringing
