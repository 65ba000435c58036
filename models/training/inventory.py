"""The report on one's own recordings: what was used, and what was left out and why."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

NAMES: Final = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
HEADINGS: Final = ("file", "at s", "held s", "note", "cents", "velocity", "for", "remark")
REACH: Final = 1.2  # semitones: a key further from any trained one is learnt from afar


@dataclass(frozen=True)
class Row:
    """A note that was used, or something that was not: then there is no split, key, cents or velocity."""

    file: str
    start_s: float
    seconds: float  # held, or long
    split: str | None
    key: float | None  # MIDI note
    cents: float | None  # off the key
    velocity: int | None
    remark: str  # why it was left out, or what is odd about it

    def cells(self) -> tuple[str, ...]:
        """The row as it is printed, under `HEADINGS`."""
        start, seconds = f"{self.start_s:.2f}", f"{self.seconds:.2f}"
        if self.key is None:
            return (self.file, start, seconds, "", "", "", "left out", self.remark)
        note = f"{note_name(self.key)} ({self.key:g})"
        return (self.file, start, seconds, note, f"{self.cents:+.1f}", str(self.velocity), str(self.split), self.remark)


@dataclass(frozen=True)
class Inventory:
    """All rows, and how many notes the data set holds with the resampled ones."""

    rows: tuple[Row, ...]
    notes: int

    @property
    def used(self) -> int:
        """Takes in the data set."""
        return sum(row.key is not None for row in self.rows)

    def missing_keys(self) -> list[int]:
        """The keys between the lowest and the highest trained one that no trained take is near."""
        keys = [row.key + (row.cents or 0) / 100 for row in self.rows if row.key is not None and row.split == "train"]
        if not keys:
            return []
        inner = range(round(min(keys)), round(max(keys)) + 1)
        return [key for key in inner if min(abs(key - other) for other in keys) > REACH]

    def summary(self) -> str:
        """A few lines on the whole."""
        held_out = sum(row.key is not None and row.split != "train" for row in self.rows)
        text = (
            f"{len({row.file for row in self.rows})} files: {self.used} takes used ({held_out} of them held out), "
            f"{len(self.rows) - self.used} stretches left out; {self.notes} notes with the resampled ones"
        )
        if missing := self.missing_keys():
            text += f"\nno recording near {', '.join(map(note_name, missing))}: learnt from their neighbours"
        return text

    def table(self) -> str:
        """The rows in columns."""
        cells = [HEADINGS, *(row.cells() for row in self.rows)]
        widths = [max(len(row[i]) for row in cells) for i in range(len(HEADINGS))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]
        return "\n".join(line.rstrip() for line in lines)

    def to_json(self) -> dict[str, Any]:
        """Plain fields."""
        return {"used": self.used, "notes": self.notes, "rows": [asdict(row) for row in self.rows]}

    def write(self, folder: Path) -> None:
        """Write `report.json` and `report.md`."""
        (folder / "report.json").write_text(json.dumps(self.to_json(), indent=1) + "\n", encoding="utf-8")
        lines = [HEADINGS, tuple("---" for _ in HEADINGS), *(row.cells() for row in self.rows)]
        table = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
        summary = self.summary().replace("\n", "\n\n")
        (folder / "report.md").write_text(f"# Recordings\n\n{summary}\n\n{table}\n", encoding="utf-8")


def note_name(key: float) -> str:
    """A MIDI note's name, C4 for 60."""
    octave, step = divmod(round(key), 12)
    return f"{NAMES[step]}{octave - 1}"
