"""`ostinato evaluate`: say how a model sounds beside its recordings."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from tqdm import tqdm

from ostinato.models.checkpoint import Checkpoint
from ostinato.models.registry import load_name_or_folder
from ostinato.models.sampling.choose import PrecisionName, open_sampler
from ostinato.models.sampling.contract import Sampler
from ostinato.models.training.choosing import of_each, spread_out
from ostinato.models.training.dataset import Dataset, DatasetError, Recording, check_fit, read_dataset
from ostinato.models.training.evaluation import Case, measure_case
from ostinato.models.training.figures import Measured, Results, make_report
from ostinato.models.training.kinds import Kind, kinds_of
from ostinato.models.training.likelihood import Weigher, likelihood, weigher_of
from ostinato.models.training.measures import Audio
from ostinato.models.training.measuring import workers
from ostinato.models.training.notes import Note, Split
from ostinato.models.training.playing import draw_notes, recording_frames
from ostinato.models.training.steadiness import measure_bends, measure_held

STRAIGHT: Final = 0.2  # share of trained notes that are not bent, where notes were rendered on purpose


@dataclass(frozen=True)
class Plan:
    """How much is played and shown."""

    temperature: float | None = None  # the model's own where it is None
    seed: int = 0
    every: int = 1  # of the notes of each instrument and split, every so-manieth
    only: str | None = None  # an instrument's name
    precision: PrecisionName = "auto"
    slots: int = 32
    jobs: int | None = None  # processes that measure; as many as there are cores where it is None
    bent: int = 12  # notes of an instrument that are bent up and down
    held: int = 3  # notes of an instrument that are held for half a minute
    likely: int = 2  # notes of an instrument and split whose likelihood is told
    page_notes: int = 6  # of an instrument and split, to see and to hear

    @property
    def processes(self) -> int:
        """Processes that measure."""
        return self.jobs or os.cpu_count() or 1


def evaluate(
    *, model: str = "default", data: Path = Path("data/orchestra"), out: Path | None = None, plan: Plan | None = None
) -> dict[str, Any]:
    """Play a data set's notes free-running, all that training left out and all unbent ones, and measure them.

    `model` is a name or a folder. Returns the bars and which notes reach them, figures of each instrument and split
    beside a baseline's, bends, notes held for half a minute, likelihoods, and each note; with `out`, also writes them
    there: `evaluation.json`, `card.md`, pictures, and a page to see and to hear, `index.html`.

    Raises:
        DatasetError: where the data set is missing or broken, or has no instrument of that name.
        UnknownModelError: where the model is.
    """
    plan = plan or Plan()
    checkpoint, dataset = load_name_or_folder(model), read_dataset(data)
    check_fit(dataset, checkpoint.config.network, data)
    kinds = kinds_of(dataset)
    cases = choose_cases(dataset, kinds, checkpoint, plan)
    sampler, _ = open_sampler(checkpoint, slots=plan.slots, precision=plan.precision)
    warmth = checkpoint.config.temperature if plan.temperature is None else plan.temperature
    with workers(plan.processes if len(cases) > plan.slots else 1) as pool:
        measured, played = play_and_measure(sampler, cases, warmth, plan.seed, pool)
        results = Results(
            notes=measured,
            bends=measure_bends(sampler, notes_to_bend(cases, plan.bent), kinds, warmth, plan.seed),
            held=measure_held(sampler, notes_to_hold(cases, plan.held), warmth, plan.seed),
            bits=likelihoods(weigher_of(checkpoint, sampler.build.precision), cases, plan.likely),
            kinds=kinds,
        )
        network = checkpoint.config.network
        report = {
            "model": checkpoint.config.name,
            "sources": [source.to_json() for source in dataset.sources],
            "engine": sampler.build.engine,
            "precision": sampler.build.precision,
            "temperature": warmth,
            "seed": plan.seed,
            "parameters": checkpoint.parameters,
            "macs_per_sample": network.macs_per_sample,
        } | make_report(results)
        if out is not None:
            publish(report, results, cases, played, out, plan, pool)
    return report


def report_json(report: dict[str, Any]) -> str:
    """The text of `evaluation.json`."""
    return json.dumps(report, indent=1)


def choose_cases(dataset: Dataset, kinds: Sequence[Kind], checkpoint: Checkpoint, plan: Plan) -> list[Case]:
    """The notes to play: whatever was held out, and of the others those that are as they were recorded."""
    if plan.only is not None and plan.only not in {k.name for k in kinds}:
        raise DatasetError(f"no instrument {plan.only!r}; there are {', '.join(k.name for k in kinds)}")
    check_instruments([k.name for k in kinds if plan.only in (None, k.name)], dataset, checkpoint)
    groups: dict[tuple[Kind, Split], list[Recording]] = {}
    for recording in as_recorded(dataset):
        kind = kinds[recording.note.instrument]
        if plan.only in (None, kind.name):
            groups.setdefault((kind, recording.note.split), []).append(recording)
    release_s = checkpoint.config.release_s
    return [
        Case(recording, kind, dataset.hop, dataset.sample_rate, release_s)
        for (kind, _), recordings in groups.items()
        for recording in recordings[:: plan.every]
    ]


def as_recorded(dataset: Dataset) -> list[Recording]:
    """What was held out, and each trained note that is not bent; where an instrument has none, its takes unvaried.

    Players are seldom exactly in tune, so a take of one's own is "bent", and none or few of its variants are not; they
    follow it in the data set.
    """
    bends: dict[int, list[bool]] = {}
    for recording in dataset.of_split(Split.TRAIN):
        bends.setdefault(recording.note.instrument, []).append(recording.note.bend_cents == 0)
    straight = {instrument for instrument, unbent in bends.items() if np.mean(unbent) > STRAIGHT}
    chosen, met = [], set()
    for recording in dataset.recordings:
        note = recording.note
        first = (note.instrument, note.recording) not in met
        met.add((note.instrument, note.recording))
        unvaried = not note.bend_cents if note.instrument in straight else first
        if unvaried or note.split is not Split.TRAIN:
            chosen.append(recording)
    return chosen


def check_instruments(names: Sequence[str], dataset: Dataset, checkpoint: Checkpoint) -> None:
    """Refuse notes of an instrument that the model does not play at the same place, unless each has but one."""
    own, other = [i.name for i in checkpoint.config.instruments], [i.name for i in dataset.instruments]
    if len(own) == len(other) == 1:
        return
    for name in names:
        if other.index(name) >= len(own) or own[other.index(name)] != name:
            raise DatasetError(
                f"{name} is instrument {other.index(name)} of the data; the model's are {', '.join(own)}"
            )


def play_and_measure(
    sampler: Sampler, cases: Sequence[Case], temperature: float, seed: int, pool: Executor
) -> tuple[list[Measured], list[Audio]]:
    """Draw each note, and have it measured while the next ones are drawn; both in the order of `cases`."""
    frames = [recording_frames(case.recording, sampler, temperature) for case in cases]
    played, pending = {}, {}
    for i, audio in tqdm(draw_notes(sampler, frames, seed), total=len(cases), unit="note", disable=None):
        played[i] = audio
        pending[i] = pool.submit(measure_case, cases[i], audio)
    measured = [Measured(i, case.recording.note, case.kind, *pending[i].result()) for i, case in enumerate(cases)]
    return measured, [played[i] for i in range(len(cases))]


def notes_to_bend(cases: Sequence[Case], count: int) -> list[Note]:
    """Some notes of each instrument, evenly over its range."""
    return _spread_over_range(cases, count)


def notes_to_hold(cases: Sequence[Case], count: int) -> list[Note]:
    """A few notes of each instrument whose notes do not decay, evenly over its range."""
    return _spread_over_range([c for c in cases if not c.kind.decays], count)


def _spread_over_range(cases: Sequence[Case], count: int) -> list[Note]:
    """Notes of each instrument, evenly over its range, at the velocity that is nearest to its middle one."""
    chosen = of_each(cases, lambda c: c.kind, len(cases), lambda c: c.recording.note.velocity)
    notes: list[Note] = []
    for kind in dict.fromkeys(c.kind for c in chosen):
        own = [c.recording.note for c in chosen if c.kind == kind]
        middle = own[len(own) // 2].velocity
        notes += spread_out([n for n in own if n.velocity == middle], count, lambda n: n.key)
    return notes


def likelihoods(network: Weigher, cases: Sequence[Case], count: int) -> dict[tuple[str, str], dict[str, float]]:
    """Bits per sample of each instrument and split, over so many of its notes, evenly over its range."""
    torch.set_num_threads(os.cpu_count() or 1)
    groups: dict[tuple[str, str], list[Recording]] = {}
    for case in cases:
        groups.setdefault((case.kind.name, case.recording.note.split.value), []).append(case.recording)
    bits = {}
    for name, recordings in groups.items():
        some = spread_out(recordings, count, lambda r: r.note.key)
        own, deaf = likelihood(network, some)
        bits[name] = {"bits_per_sample": own, "bits_per_sample_past_zeroed": deaf, "bits_of_notes": len(some)}
    return bits


def publish(
    report: dict[str, Any],
    results: Results,
    cases: Sequence[Case],
    played: Sequence[Audio],
    out: Path,
    plan: Plan,
    pool: Executor,
) -> None:
    """Write the report, the card's tables, the pictures, and the page with its sounds."""
    from ostinato.models.training.card import write_card
    from ostinato.models.training.page import write_page
    from ostinato.models.training.pictures import draw_figures, draw_instruments

    out.mkdir(parents=True, exist_ok=True)
    (out / "evaluation.json").write_text(report_json(report) + "\n", encoding="utf-8")
    write_card(report, out / "card.md")
    draw_figures(results.notes, out / "figures.png")
    typical = [m.index for m in typical_notes(results.notes)]
    draw_instruments([cases[i] for i in typical], [played[i] for i in typical], out / "spectrograms.png")
    shown = of_each(results.notes, lambda m: (m.kind.name, m.note.split), plan.page_notes, lambda m: -m.badness())
    write_page(report, [(m, cases[m.index], played[m.index]) for m in shown], out, pool)


def typical_notes(notes: Sequence[Measured]) -> list[Measured]:
    """Of each instrument, the note of median log-mel distance among those that were held out, if any was."""
    typical = []
    for kind in dict.fromkeys(m.kind for m in notes):
        own = [m for m in notes if m.kind == kind]
        some = [m for m in own if m.note.split is not Split.TRAIN] or own
        typical.append(sorted(some, key=lambda m: m.figures.log_mel_db)[len(some) // 2])
    return typical
