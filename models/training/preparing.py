"""`ostinato data`: make a data set of the orchestra's notes."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from tqdm import tqdm

from ostinato.models.training.dataset import INDEX, PHASE, DatasetError, Source
from ostinato.models.training.notes import Split
from ostinato.models.training.orchestra import ORCHESTRA, Part, plan_notes
from ostinato.models.training.recipe import HOP, SAMPLE_RATE
from ostinato.models.training.render import SOUNDFONT_FOLDER, find_fluidsynth, render_notes
from ostinato.models.training.soundfont import read_soundfont
from ostinato.models.training.writing import Written, write_index, write_notes

REPORTS: Final = ("report.json", "report.md")


def prepare_data(
    *,
    out: Path = Path("data/orchestra"),
    only: Sequence[str] = (),
    soundfonts: Path = SOUNDFONT_FOLDER,
    seed: int = 0,
    jobs: int | None = None,
) -> Path:
    """Render the orchestra's notes (or those of the instruments named in `only`) into a data set; return its folder.

    `soundfonts` is the folder where the .sf2 files lie; `jobs` instruments are rendered at a time, by default one a
    core. A data set that is already in `out` is replaced.

    Raises:
        DatasetError: where the orchestra has no such instrument, or `out` holds something else.
        RenderError: where FluidSynth or a soundfont is missing, or plays nothing.
        SoundfontError: where a soundfont can't be read.
    """
    parts = choose_parts(only)
    for part in parts:
        find_fluidsynth(soundfonts / part.soundfont)
    clear(out)
    tasks = [(out, part, place, soundfonts, seed, HOP, SAMPLE_RATE) for place, part in enumerate(parts)]
    workers = min(jobs or os.cpu_count() or 1, len(parts))
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        written = list(tqdm(pool.map(_render_part, tasks), total=len(parts), unit="instrument", disable=None))
    write_index(
        out,
        [part.instrument for part in parts],
        [
            Source(part.instrument.name, part.soundfont, part.program, part.licence, round(one.gain, 6))
            for part, one in zip(parts, written, strict=True)
        ],
        written,
        sample_rate=SAMPLE_RATE,
        hop=HOP,
    )
    for part, one in zip(parts, written, strict=True):
        print(f"{part.instrument.name}: {describe(one, HOP, SAMPLE_RATE)}, gain {one.gain:.3f}")
    return out


def choose_parts(only: Sequence[str]) -> tuple[Part, ...]:
    """The parts of these names, in the orchestra's order; all where none is named."""
    names = [part.instrument.name for part in ORCHESTRA]
    unknown = [name for name in only if name not in names]
    if unknown:
        raise DatasetError(f"no instrument {unknown[0]!r}; there are {', '.join(names)}")
    return tuple(part for part in ORCHESTRA if not only or part.instrument.name in only)


def clear(folder: Path) -> None:
    """Make room for a data set, where there is nothing but another one.

    Raises:
        DatasetError: where the folder is a file, or holds anything that is no part of a data set.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise DatasetError(f"{folder}: a file, not a folder")
    foreign = sorted(entry.name for entry in folder.iterdir() if entry.name not in parts_of(folder))
    if foreign:
        raise DatasetError(f"{folder}: {foreign[0]} is no part of a data set; remove it or name another folder")
    shutil.rmtree(folder)


def parts_of(folder: Path) -> set[str]:
    """Names in a data set's folder that are its own, by its index; none where it has no index or no phases."""
    if not ((folder / INDEX).is_file() and (folder / PHASE).is_file()):
        return set()
    try:
        notes = json.loads((folder / INDEX).read_text(encoding="utf-8"))["notes"]
        return {INDEX, PHASE, *REPORTS} | {Path(note["file"]).parts[0] for note in notes}
    except (ValueError, KeyError, TypeError, IndexError):
        return set()


def describe(written: Written, hop: int, sample_rate: int) -> str:
    """How many notes and seconds, and what they are for."""
    counts = Counter(entry["split"] for entry in written.entries)
    seconds = sum(len(drift) for drift in written.drifts) * hop / sample_rate
    splits = ", ".join(f"{counts[s]} {s.value}" for s in Split if counts[s])
    return f"{len(written.entries)} notes, {seconds:.0f} s ({splits})"


def _render_part(task: tuple[Path, Part, int, Path, int, int, int]) -> Written:
    """One instrument; in a process of its own."""
    out, part, place, soundfonts, seed, hop, sample_rate = task
    soundfont = soundfonts / part.soundfont
    notes = plan_notes(part, read_soundfont(soundfont).zones(part.program), place, seed)
    keys = [part.played(int(note.key)) for note in notes]
    rendered = render_notes(
        notes, keys=keys, soundfont=soundfont, program=part.program, hop=hop, sample_rate=sample_rate
    )
    return write_notes(out, part.instrument.name, notes, rendered, sample_rate=sample_rate, hop=hop)
