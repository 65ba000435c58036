"""A data set on disk: a folder with `index.json` and one 16-bit WAV a note, and its recordings in memory."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile  # type: ignore[import-untyped]
from numpy.typing import NDArray

from ostinato.models.config import WaveNetConfig
from ostinato.models.controls import VoiceTimeline
from ostinato.models.training.alignment import track_phase
from ostinato.models.training.notes import Note, Split

INDEX: Final = "index.json"
PEAK: Final = 0.45  # of the loudest note, so that four voices can be mixed


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
        release = note.held(hop, sample_rate)
        frames = note_frames(note, len(audio) // hop, hop=hop, sample_rate=sample_rate)
        return cls(note, audio, track_phase(audio, note.hertz, sample_rate), frames, release)


def note_frames(
    note: Note, count: int, *, hop: int, sample_rate: int, temperature: float = 1.0, cents: float = 0.0
) -> NDArray[np.float32]:
    """The control frames that play a note, `cents` beside its pitch: float32 [count, len(FRAME)]."""
    voice = VoiceTimeline(note.key, note.velocity / 127, 0, onset=0, release=note.held(hop, sample_rate))
    return voice.frames(
        0,
        count,
        hop=hop,
        sample_rate=sample_rate,
        bend=np.full(count, note.bend_cents + cents),
        temperature=np.full(count, temperature),
    )


@dataclass(frozen=True)
class Dataset:
    """The recordings of one instrument."""

    instrument: str
    sample_rate: int
    hop: int
    gain: float  # what the rendered notes were multiplied by
    source: str
    recordings: tuple[Recording, ...]

    def of_split(self, *splits: Split) -> list[Recording]:
        """The recordings of these splits, in order."""
        return [r for r in self.recordings if r.note.split in splits]


def write_dataset(
    folder: Path,
    notes: Sequence[Note],
    rendered: Iterable[NDArray[np.float32]],
    *,
    instrument: str,
    sample_rate: int,
    hop: int,
    source: str,
) -> float:
    """Write the notes, all multiplied so that the loudest peaks at `PEAK`; return that gain."""
    audio = list(rendered)
    gain = PEAK / max(float(np.abs(a).max()) for a in audio)
    folder.mkdir(parents=True, exist_ok=True)
    entries: list[dict[str, Any]] = []
    for i, (note, samples) in enumerate(zip(notes, audio, strict=True)):
        name = f"{i:04d}-key{note.key:g}-velocity{note.velocity}.wav"
        soundfile.write(folder / name, samples * gain, sample_rate, subtype="PCM_16")
        entries.append({"file": name, **note.to_json()})
    index = {
        "instrument": instrument,
        "sample_rate": sample_rate,
        "hop": hop,
        "gain": gain,
        "source": source,
        "notes": entries,
    }
    (folder / INDEX).write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")
    return gain


def read_dataset(folder: Path) -> Dataset:
    """Read a data set and track every note.

    Raises:
        DatasetError: where the index or a recording is missing or not what the index says.
    """
    path = folder / INDEX
    if not path.is_file():
        raise DatasetError(f"{folder}: no {INDEX}; make the data set first (ostinato data)")
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        sample_rate, hop = int(index["sample_rate"]), int(index["hop"])
        recordings = tuple(_read_note(folder, dict(entry), hop, sample_rate) for entry in index["notes"])
        return Dataset(index["instrument"], sample_rate, hop, index["gain"], index["source"], recordings)
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise DatasetError(f"{path}: not a data set's index: {error!r}") from error


def check_fit(dataset: Dataset, network: WaveNetConfig, data: Path) -> None:
    """Refuse a data set of another sample rate or hop than the network's."""
    if (dataset.sample_rate, dataset.hop) != (network.sample_rate, network.hop):
        raise DatasetError(
            f"{data}: made for {dataset.sample_rate} Hz and a hop of {dataset.hop}, "
            f"not {network.sample_rate} Hz and {network.hop}; make it again"
        )


def _read_note(folder: Path, entry: dict[str, Any], hop: int, sample_rate: int) -> Recording:
    path = folder / entry.pop("file")
    try:
        audio, rate = soundfile.read(path, dtype="float32")
    except soundfile.LibsndfileError as error:
        raise DatasetError(str(error)) from error
    if rate != sample_rate or audio.ndim != 1:
        raise DatasetError(f"{path}: {rate} Hz {audio.shape}, expected mono at {sample_rate} Hz")
    return Recording.of(Note.from_json(entry), audio, hop=hop, sample_rate=sample_rate)
