"""Plays a phrase of held-out notes live through a server, and measures it beside the recordings.

    python -m tests.server.phrase --data data/orchestra [--model NAME, again and again; else all that were trained]

Fails where a level is more than 3 dB off, a note is heard 300 ms after its release, or the listener ran dry.

One note of each instrument that training left out, one after another in one live session, paced by the clock.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from statistics import mean

import numpy as np

from ostinato.clients import SessionStart, connect
from ostinato.models.comparing.comparison import held_out
from ostinato.models.comparing.ways import shipped
from ostinato.models.registry import load_name_or_folder
from ostinato.models.training.dataset import read_dataset
from ostinato.models.training.evaluation import Case, NoteFigures, measure_note
from ostinato.models.training.playing import LEAST_TAIL_S
from ostinato.server.protocol import ControlUpdate, Event, NoteOff, NoteOn, Stats
from tests.server.processes import process

MOST_OFF_DB = 3.0
SILENT_DBFS = -60.0
LATE = 64  # hops before the first note, in which the events arrive


def phrase(cases: Sequence[Case], names: Sequence[str]) -> tuple[list[Event], list[int], int]:
    """The events, where each note begins, and where all ends, in samples."""
    events: list[Event] = []
    onsets, at = [], LATE * cases[0].hop
    for i, case in enumerate(cases):
        note = case.recording.note
        key, loud = note.key + note.bend_cents / 100, note.velocity / 127
        events += [
            ControlUpdate(event_id=f"{i} instrument", params={"instrument": names[note.instrument]}, at_sample=at),
            NoteOn(event_id=f"{i} on", note=key, velocity=loud, voice_id=str(i), at_sample=at),
            NoteOff(event_id=f"{i} off", voice_id=str(i), at_sample=at + case.recording.release),
        ]
        onsets.append(at)
        tail = max(case.release_s, LEAST_TAIL_S) * case.sample_rate
        sounds = max(len(case.recording.audio), case.recording.release + tail)
        at += math.ceil(sounds / case.hop) * case.hop
    return events, onsets, at


def play(url: str, model: str, cases: Sequence[Case], seed: int) -> tuple[list[NoteFigures], list[Stats], int]:
    """Each note's figures, what the server told each second, and the underruns of the listener's playhead."""
    names = [i.name for i in load_name_or_folder(model).config.instruments]
    events, onsets, end = phrase(cases, names)
    told: list[Stats] = []
    start = SessionStart(model=model, voices=2, seed=seed, duration_s=end / cases[0].sample_rate)
    with connect(url, start, heard=lambda m: told.append(m) if isinstance(m, Stats) else None) as stream:
        stream.perform(events)
        audio = np.concatenate([block.samples for block in stream])
        report = stream.report
    ends = [*onsets[1:], end]
    played = [audio[a:b] for a, b in zip(onsets, ends, strict=True)]
    return [measure_note(case, sound) for case, sound in zip(cases, played, strict=True)], told, report.underruns


def main() -> None:
    """Run it."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, default=Path("data/orchestra"))
    options.add_argument("--model", action="append")
    options.add_argument("--seed", type=int, default=0)
    chosen = options.parse_args()
    models = chosen.model or [*shipped()]
    faults = 0
    dataset = read_dataset(chosen.data)
    with process(OSTINATO_MODELS=",".join(models)) as server:
        for model in models:
            cases = held_out(dataset, load_name_or_folder(model), 1)
            figures, told, underruns = play(server.url, model, cases, chosen.seed)
            faults += underruns + sum(
                abs(f.level_db) > MOST_OFF_DB or f.after_release_dbfs > SILENT_DBFS for f in figures
            )
            rtf = [stats.rtf for stats in told if stats.rtf is not None]
            for case, f in zip(cases, figures, strict=True):
                print(
                    f"{model:<8} {case.kind.name:<13} level {f.level_db:+5.1f} dB, HNR {f.hnr_db:5.1f} of "
                    f"{f.recording_hnr_db:5.1f} dB, log-mel {f.log_mel_db:4.1f} dB, "
                    f"after release {f.after_release_dbfs:6.1f} dBFS"
                )
            print(
                f"{model:<8} means: level off {mean(abs(f.level_db) for f in figures):.2f} dB, "
                f"HNR {mean(f.hnr_db for f in figures):.1f} of {mean(f.recording_hnr_db for f in figures):.1f} dB, "
                f"log-mel {mean(f.log_mel_db for f in figures):.2f} dB; RTF at most {max(rtf, default=math.nan):.3f}, "
                f"{underruns} underruns"
            )
    if faults:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
