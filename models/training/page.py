"""A page that sets each note beside its recording, to see and to hear: one file, with its sounds and pictures beside.

It needs no network and no server. Every note has its figures there; some have sounds and pictures.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from ostinato.models.training.evaluation import Case
from ostinato.models.training.figures import Measured
from ostinato.models.training.measures import Audio
from ostinato.models.training.media import write_media
from ostinato.models.training.spectrogram import TICKS_HZ, mel_position, note_name, tick_name

TEMPLATE: Final = "page.html"
PLACE: Final = "/*REPORT*/"
MEDIA: Final = "notes"


def write_page(
    report: Mapping[str, Any], shown: Sequence[tuple[Measured, Case, Audio]], out: Path, pool: Executor
) -> None:
    """Write `index.html`, and the sounds and pictures of the notes that are shown into `notes` beside it."""
    folder = out / MEDIA
    folder.mkdir(parents=True, exist_ok=True)
    pending = [pool.submit(write_media, case, played, folder, media_name(m)) for m, case, played in shown]
    for task in pending:
        task.result()
    durations = {m.index: (len(case.recording.audio) / case.sample_rate, case) for m, case, _ in shown}
    text = (files(__package__ or "") / TEMPLATE).read_text(encoding="utf-8")
    data = page_data(report, durations)
    (out / "index.html").write_text(text.replace(PLACE, safe_json(data)), encoding="utf-8")


def media_name(measured: Measured) -> str:
    """What the files of a note begin with."""
    return f"{measured.index:04d}"


def page_data(report: Mapping[str, Any], shown: Mapping[int, tuple[float, Case]]) -> dict[str, Any]:
    """What the page needs of a report: little of each note, since there may be thousands."""
    notes = [
        brief(note)
        | ({"media": f"{MEDIA}/{note['index']:04d}", **timing(*shown[note["index"]])} if note["index"] in shown else {})
        for note in report["notes"]
    ]
    head = {
        key: report[key]
        for key in ("model", "sources", "engine", "precision", "temperature", "seed", "parameters", "bars", "held")
    }
    ticks = [(tick_name(f), round(mel_position(f), 4)) for f in TICKS_HZ]
    return head | {"instruments": report["instruments"], "notes": notes, "ticks": ticks}


def timing(seconds: float, case: Case) -> dict[str, float]:
    """How long a recording lasts, and when it is let go, as a share of that."""
    return {"seconds": round(seconds, 3), "release": round(case.recording.release / len(case.recording.audio), 4)}


def brief(note: Mapping[str, Any]) -> dict[str, Any]:
    """A note's figures, rounded to what is shown."""
    figures = {
        "pitch": abs(note["pitch_cents"]),
        "hnr": note["recording_hnr_db"] - note["hnr_db"],
        "level": note["level_db"],
        "mel": note["log_mel_db"],
        "after": note["after_release_dbfs"],
        "drop": note["after_release_db"],
        "onset": note["onset_click_db"],
        "let_go": note["release_click_db"],
        "end": note["end_click_db"],
        "border": note["border_click_db"],
        "bad": note["badness"],
    }
    base = note["baseline"]
    return {
        "i": note["index"],
        "name": note["name"],
        "key": note_name(note["key"]),
        "midi": note["key"],
        "velocity": note["velocity"],
        "instrument": note["instrument_name"],
        "split": str(note["split"]),
        "missed": note["missed"],
        "base_hnr": round(base["recording_hnr_db"] - base["hnr_db"], 2),
        "base_mel": round(base["log_mel_db"], 2),
    } | {name: round(value, 3) for name, value in figures.items()}


def safe_json(data: Mapping[str, Any]) -> str:
    """JSON that may stand inside a script element: nothing in it can end that."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
