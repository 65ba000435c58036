"""A data set on disk, and its recordings in memory.

A folder with `index.json`, a 16-bit FLAC a note (in one folder an instrument), and `phase.npz`: how far the phase of
each note's fundamental is off its nominal one, in turns, at each hop.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile  # type: ignore[import-untyped]
from numpy.typing import NDArray
from pydantic import ValidationError

from ostinato.models.config import Instrument, SteeredConfig
from ostinato.models.controls import VoiceTimeline
from ostinato.models.training.alignment import drifted_phase, track_phase
from ostinato.models.training.notes import Note, Split

INDEX: Final = "index.json"
PHASE: Final = "phase.npz"
READERS: Final = 8  # threads


class DatasetError(ValueError):
    """A data set that can't be read; the message names the file."""


@dataclass(frozen=True)
class Recording:
    """One note, its phase tracked, and the control frames that would play it."""

    note: Note
    audio: NDArray[np.float32]  # [T], T a multiple of the hop
    phase: NDArray[np.int64]  # [T], 2^64 a turn
    frames: NDArray[np.float32]  # [T / hop, len(FRAME)]
    release: int  # sample

    @classmethod
    def of(cls, note: Note, audio: NDArray[np.float32], *, hop: int, sample_rate: int) -> Recording:
        """Track and align a note that begins at its onset; what does not fill a hop is cut off."""
        audio = audio[: len(audio) // hop * hop]
        return cls.aligned(note, audio, track_phase(audio, note.hertz, sample_rate), hop=hop, sample_rate=sample_rate)

    @classmethod
    def aligned(
        cls, note: Note, audio: NDArray[np.float32], phase: NDArray[np.int64], *, hop: int, sample_rate: int
    ) -> Recording:
        """A note whose phase is known; its length is a multiple of the hop."""
        frames = note_frames(note, len(audio) // hop, hop=hop, sample_rate=sample_rate)
        return cls(note, audio, phase, frames, note.held(hop, sample_rate))


def note_frames(
    note: Note, count: int, *, hop: int, sample_rate: int, temperature: float = 1.0, cents: float = 0.0
) -> NDArray[np.float32]:
    """The control frames that play a note, `cents` beside its pitch: float32 [count, len(FRAME)]."""
    release = note.held(hop, sample_rate)
    voice = VoiceTimeline(note.key, note.velocity / 127, note.instrument, onset=0, release=release)
    return voice.frames(
        0,
        count,
        hop=hop,
        sample_rate=sample_rate,
        bend=np.full(count, note.bend_cents + cents),
        temperature=np.full(count, temperature),
    )


@dataclass(frozen=True)
class Source:
    """Where the notes of one instrument come from."""

    instrument: str
    origin: str  # a soundfont's file name, or a folder's
    program: int | None  # General MIDI, from 0
    licence: str
    gain: float  # what its notes were multiplied by

    def to_json(self) -> dict[str, Any]:
        """Plain fields."""
        return asdict(self)


@dataclass(frozen=True)
class Dataset:
    """Recordings of one or more instruments; a note's `instrument` is a place in `instruments`."""

    sample_rate: int
    hop: int
    instruments: tuple[Instrument, ...]
    sources: tuple[Source, ...]
    recordings: tuple[Recording, ...]

    def of_split(self, *splits: Split) -> list[Recording]:
        """The recordings of these splits, in order."""
        return [r for r in self.recordings if r.note.split in splits]


def read_dataset(folder: Path) -> Dataset:
    """Read a data set.

    Raises:
        DatasetError: where the index, the phases or a recording are missing or not what the index says.
    """
    path = folder / INDEX
    if not path.is_file():
        raise DatasetError(f"{folder}: no {INDEX}; make the data set first (ostinato data)")
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        sample_rate, hop = int(index["sample_rate"]), int(index["hop"])
        instruments = tuple(Instrument.model_validate(fields) for fields in index["instruments"])
        sources = tuple(Source(**fields) for fields in index["sources"])
        entries = [(str(fields.pop("file")), Note.from_json(fields)) for fields in index["notes"]]
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise DatasetError(f"{path}: not a data set's index: {error!r}") from error
    if any(not 0 <= note.instrument < len(instruments) for _, note in entries):
        raise DatasetError(f"{path}: a note of an instrument that is not among the {len(instruments)}")
    drifts = _read_drifts(folder / PHASE, len(entries))

    def read(place: int) -> Recording:
        file, note = entries[place]
        return _read_note(folder / file, note, drifts[place], hop, sample_rate)

    with ThreadPoolExecutor(READERS) as threads:
        recordings = tuple(threads.map(read, range(len(entries))))
    return Dataset(sample_rate, hop, instruments, sources, recordings)


def check_fit(dataset: Dataset, network: SteeredConfig, data: Path) -> None:
    """Refuse a data set of another sample rate or hop than the network's."""
    if (dataset.sample_rate, dataset.hop) != (network.sample_rate, network.hop):
        raise DatasetError(
            f"{data}: made for {dataset.sample_rate} Hz and a hop of {dataset.hop}, "
            f"not {network.sample_rate} Hz and {network.hop}; make it again"
        )


def _read_drifts(path: Path, notes: int) -> Sequence[NDArray[np.float32]]:
    """The drift of each note's phase."""
    try:
        with np.load(path) as file:
            drift, hops = file["drift"], file["hops"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DatasetError(f"{path}: not a data set's phases: {error}") from error
    if len(hops) != notes or int(hops.sum()) != len(drift):
        raise DatasetError(f"{path}: phases of {len(hops)} notes, but the index has {notes}")
    return np.split(drift, list(accumulate(hops.tolist()))[:-1])


def _read_note(path: Path, note: Note, drift: NDArray[np.float32], hop: int, sample_rate: int) -> Recording:
    try:
        audio, rate = soundfile.read(path, dtype="float32")
    except soundfile.LibsndfileError as error:
        raise DatasetError(str(error)) from error
    if rate != sample_rate or audio.ndim != 1:
        raise DatasetError(f"{path}: {rate} Hz {audio.shape}, expected mono at {sample_rate} Hz")
    if len(audio) != len(drift) * hop:
        raise DatasetError(f"{path}: {len(audio)} samples, but phases of {len(drift)} hops of {hop}")
    phase = drifted_phase(drift, len(audio), note.hertz, sample_rate, hop)
    return Recording.aligned(note, audio, phase, hop=hop, sample_rate=sample_rate)
