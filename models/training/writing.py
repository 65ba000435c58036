"""Writing a data set: an instrument's notes balanced, tracked and written, then the index of them all."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile  # type: ignore[import-untyped]
from numpy.typing import NDArray

from ostinato.models.config import Instrument
from ostinato.models.training.alignment import track_drift
from ostinato.models.training.dataset import INDEX, PHASE, Source
from ostinato.models.training.notes import Note

PEAK: Final = 0.45  # of an instrument's loudest note, so that four voices can be mixed


@dataclass(frozen=True)
class Written:
    """The notes of one instrument that were written, for the index."""

    entries: list[dict[str, Any]]
    drifts: list[NDArray[np.float32]]
    gain: float


def write_notes(
    folder: Path,
    instrument: str,
    notes: Sequence[Note],
    rendered: Iterable[NDArray[np.float32]],
    *,
    sample_rate: int,
    hop: int,
) -> Written:
    """Write an instrument's notes, all multiplied so that the loudest peaks at `PEAK`, and track their phases.

    What does not fill a hop is cut off a note's end.
    """
    audio = [samples[: len(samples) // hop * hop] for samples in rendered]
    gain = PEAK / max(float(np.abs(a).max()) for a in audio)
    slug = re.sub(r"[^\w]+", "-", instrument).strip("-") or "notes"
    (folder / slug).mkdir(parents=True, exist_ok=True)
    entries, drifts = [], []
    for i, (note, samples) in enumerate(zip(notes, audio, strict=True)):
        file = f"{slug}/{i:04d}-key{note.key:g}-velocity{note.velocity}.flac"
        soundfile.write(folder / file, samples * gain, sample_rate, subtype="PCM_16")
        entries.append({"file": file, **note.to_json()})
        drifts.append(track_drift(samples, note.hertz, sample_rate, hop))
    return Written(entries, drifts, gain)


def write_index(
    folder: Path,
    instruments: Sequence[Instrument],
    sources: Sequence[Source],
    written: Sequence[Written],
    *,
    sample_rate: int,
    hop: int,
) -> None:
    """Write what makes a folder of notes a data set; its last act, so that a half-made one is not taken for one."""
    drifts = [drift for part in written for drift in part.drifts]
    hops = np.array([len(drift) for drift in drifts], dtype=np.int64)
    np.savez_compressed(folder / PHASE, drift=np.concatenate(drifts), hops=hops)
    index = {
        "sample_rate": sample_rate,
        "hop": hop,
        "instruments": [i.model_dump(mode="json") for i in instruments],
        "sources": [s.to_json() for s in sources],
        "notes": [entry for part in written for entry in part.entries],
    }
    (folder / INDEX).write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")
