"""`ostinato data --from`: a data set of one's own recordings, and a report of what was used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from tqdm import tqdm

from ostinato.models.config import Instrument
from ostinato.models.training.dataset import DatasetError, Source
from ostinato.models.training.inventory import Inventory, Row
from ostinato.models.training.notes import Note, Split
from ostinato.models.training.preparing import clear
from ostinato.models.training.recipe import HOP, SAMPLE_RATE
from ostinato.models.training.releases import TAIL_S, shape_release
from ostinato.models.training.resampling import faster
from ostinato.models.training.takes import Audio, Refusal, Take, read_takes
from ostinato.models.training.writing import write_index, write_notes

SUFFIXES: Final = (".wav", ".flac", ".aif", ".aiff", ".ogg")
MARGIN: Final = 2  # semitones of range beyond what was found
HELD_OUT_EVERY: Final = 6
FEWEST_TO_HOLD_OUT: Final = 4
VARIANTS: Final = ((-60.0, -10.0), (10.0, 60.0))  # cents: each trained take is also heard once in each of these
DB_A_VELOCITY: Final = 40.0  # a velocity falls tenfold with so many dB


@dataclass(frozen=True)
class Rendition:
    """A note of the data set and its sound."""

    note: Note
    audio: Audio


def collect_data(
    folder: Path, *, out: Path = Path("data/mine"), name: str | None = None, licence: str = "unstated", seed: int = 0
) -> Inventory:
    """Make a data set of a folder of one's own recordings, and return what was used of it.

    Files of any sample rate, depth and number of channels (the loudest one is taken), also in folders within, hold
    single notes or phrases. Each note is a take; one in six is held out, each other one is also heard twice resampled,
    a little lower and a little higher, so that the pitches between keys are covered. Releases are shaped. A velocity
    is what the file's name says, else follows from the level: 127 for the loudest note, a tenth of it 40 dB below.
    `out` also gets `report.json` and `report.md`.

    Raises:
        DatasetError: where there is no recording in the folder, or nothing in them can be used.
    """
    here, there = folder.resolve(), out.resolve()
    if here in (there, *there.parents) or there in here.parents:
        raise DatasetError(f"{out}: the data set and its recordings can't lie in one another; name another folder")
    files = tqdm(recordings_in(folder), unit="file", desc="listening", disable=None)
    found = [entry for path, label in files for entry in read_takes(path, label, sample_rate=SAMPLE_RATE, hop=HOP)]
    takes = [entry for entry in found if isinstance(entry, Take)]
    refusals = [entry for entry in found if isinstance(entry, Refusal)]
    if not takes:
        reasons = "; ".join(f"{r.file}: {r.reason}" for r in refusals[:5])
        raise DatasetError(f"{folder}: nothing can be used ({reasons})")
    clear(out)
    notes = make_notes(takes)
    renditions = [r for take, note in zip(takes, notes, strict=True) for r in render(take, note, seed)]
    label = name or folder.resolve().name
    written = write_notes(
        out, label, [r.note for r in renditions], [r.audio for r in renditions], sample_rate=SAMPLE_RATE, hop=HOP
    )
    source = Source(label, folder.name, None, licence, round(written.gain, 6))
    write_index(out, [instrument_of(label, takes)], [source], [written], sample_rate=SAMPLE_RATE, hop=HOP)
    inventory = Inventory(tuple(rows(takes, notes, refusals)), len(renditions))
    inventory.write(out)
    return inventory


def recordings_in(folder: Path) -> list[tuple[Path, str]]:
    """The sound files of a folder and of those within, in order, with their paths from there."""
    if not folder.is_dir():
        raise DatasetError(f"{folder}: no such folder")
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    if not paths:
        raise DatasetError(f"{folder}: no recordings; sound files end in {', '.join(SUFFIXES)}")
    return [(path, path.relative_to(folder).as_posix()) for path in paths]


def make_notes(takes: Sequence[Take]) -> list[Note]:
    """The note of each take, with its velocity and what it is for."""
    loudest = max(take.level_db for take in takes)
    held_out = choose_held_out(takes)
    trained = {take.key for place, take in enumerate(takes) if place not in held_out}
    notes = []
    for place, take in enumerate(takes):
        velocity = take.named_velocity or velocity_of(take.level_db - loudest)
        other = Split.TAKE if take.key in trained else Split.RECORDING
        notes.append(
            Note(
                key=take.key,
                velocity=velocity,
                bend_cents=round(100 * (take.pitch - take.key), 1),
                held_s=take.release / SAMPLE_RATE,
                split=other if place in held_out else Split.TRAIN,
                recording=f"{take.file}@{take.start_s:.2f}",
            )
        )
    return notes


def choose_held_out(takes: Sequence[Take]) -> set[int]:
    """The places of one take in six in order of pitch, and one at least where there are four; not the outermost."""
    order = sorted(range(len(takes)), key=lambda place: (takes[place].pitch, takes[place].level_db, place))
    if len(order) < FEWEST_TO_HOLD_OUT:
        return set()
    return set(order[HELD_OUT_EVERY // 2 : -1 : HELD_OUT_EVERY]) or {order[len(order) // 2]}


def velocity_of(db: float) -> int:
    """The velocity of a note so many dB below the loudest."""
    return int(np.clip(round(127 * 10 ** (db / DB_A_VELOCITY)), 1, 127))


def render(take: Take, note: Note, seed: int) -> Iterator[Rendition]:
    """A take with its release shaped, and its resampled variants where it is trained on."""
    yield Rendition(note, shape_release(take.audio, take.release, SAMPLE_RATE))
    if note.split is not Split.TRAIN:
        return
    rng = np.random.default_rng((seed, *note.recording.encode()))
    for low, high in VARIANTS:
        cents = round(float(rng.uniform(low, high)), 1)
        audio, release = bend(take, cents)
        bent = replace(note, bend_cents=round(note.bend_cents + cents, 1), held_s=release / SAMPLE_RATE)
        yield Rendition(bent, shape_release(audio, release, SAMPLE_RATE))


def bend(take: Take, cents: float) -> tuple[Audio, int]:
    """A take so many cents higher, and faster, and the sample of its release."""
    audio = faster(take.audio, cents)
    release = round(take.release / 2.0 ** (cents / 1200) / HOP) * HOP
    length = release + -(-round(TAIL_S * SAMPLE_RATE) // HOP) * HOP
    return np.pad(audio[:length], (0, max(length - len(audio), 0))), release


def instrument_of(name: str, takes: Sequence[Take]) -> Instrument:
    """What was found, and `MARGIN` semitones either side."""
    keys = [take.key for take in takes]
    return Instrument(name=name, low=max(min(keys) - MARGIN, 0), high=min(max(keys) + MARGIN, 127))


def rows(takes: Sequence[Take], notes: Sequence[Note], refusals: Sequence[Refusal]) -> list[Row]:
    """What to tell of each take and of what was left out, in the order of the files."""
    used = [
        Row(
            take.file, round(take.start_s, 3), round(note.held_s, 3), note.split.value, note.key, note.bend_cents,
            note.velocity, take.remark,
        )
        for take, note in zip(takes, notes, strict=True)
    ]  # fmt: skip
    left_out = [
        Row(r.file, round(r.start_s, 3), round(r.seconds, 3), None, None, None, None, r.reason) for r in refusals
    ]
    return sorted(used + left_out, key=lambda row: (row.file, row.start_s))
