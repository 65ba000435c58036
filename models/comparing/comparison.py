"""One row a way: what it costs on this machine, how likely it finds held-out notes, and how near it plays to them.

All ways play the same notes, free-running, from the same keys. Costs are timed in turn, so that whatever else the
machine does meets all of them; they are of one core.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import Final

import numpy as np

from ostinato.models.benching.rows import hold_torch_to
from ostinato.models.benching.timing import Stopwatch, steady_frames, time_in_turn
from ostinato.models.checkpoint import Checkpoint
from ostinato.models.comparing.ways import Way
from ostinato.models.config import WITHOUT_DENSITY
from ostinato.models.sampling.contract import Sampler
from ostinato.models.training.choosing import of_each
from ostinato.models.training.dataset import Dataset, DatasetError, Recording, check_fit, read_dataset
from ostinato.models.training.evaluating import check_instruments
from ostinato.models.training.evaluation import Case, Sound, baseline, compare, measure_sound
from ostinato.models.training.kinds import kinds_of
from ostinato.models.training.likelihood import likelihood, weigher_of
from ostinato.models.training.measures import Audio, stft_distance
from ostinato.models.training.notes import Split
from ostinato.models.training.playing import play_notes, recording_frames

BASELINE: Final = "baseline"  # excitation and envelope: what a model must rise above
FIRST_HOPS: Final = 25  # timed, of which the median is told


@dataclass(frozen=True)
class Plan:
    """How much is played and timed."""

    notes: int = 2  # of each instrument, that training left out
    likely: int = 1  # of each instrument, whose likelihood is told
    seconds: float = 1.0  # that each way is timed alone, and again together
    together: int = 16  # streams
    seed: int = 0


@dataclass(frozen=True)
class Cost:
    """On one core of this machine."""

    us_per_sample: float
    rtf: float
    streams: int  # together; 1 for a way that is timed alone
    us_per_sample_together: float  # a stream's share of a step of all
    rtf_together: float  # of all of them
    first_hop_ms: float  # the sampler's part of the time to first audio: from a reset slot to its first hop
    stream_bytes: int  # of state


@dataclass(frozen=True)
class Likelihood:
    """Bits per sample of the notes, given their own past, and with all that was drawn set to zero."""

    bits: float
    bits_past_zeroed: float


@dataclass(frozen=True)
class Quality:
    """Against the recordings of the notes: means over notes, but for pitch, whose median is told."""

    notes: int
    pitch_cents: float  # off what was asked for, whichever way
    hnr_db: float
    recording_hnr_db: float
    level_db: float  # off the recording's, whichever way
    log_mel_db: float
    stft_distance: float  # multi-resolution: spectral convergence and log-magnitude
    silence_dbfs: float  # of the loudest note, from 300 ms after its release


@dataclass(frozen=True)
class Row:
    """A way, or the baseline, which costs nothing that could be compared."""

    name: str
    model: str
    strategy: str
    engine: str | None
    precision: str | None
    parameters: int | None
    cost: Cost | None
    likelihood: Likelihood | None
    quality: Quality | None


def run(ways: Sequence[Way], data: Path, plan: Plan, told: Callable[[str], None] = lambda _: None) -> list[Row]:
    """Compare these ways, all of one sample rate and hop; `told` hears what is being done.

    Raises:
        DatasetError: where the data set is missing, broken, or of other instruments.
        SamplerError: where a way can't be had.
    """
    dataset = read_dataset(data)
    for way in ways:
        check_fit(dataset, way.checkpoint.config.network, data)
        check_instruments([i.name for i in dataset.instruments], dataset, way.checkpoint)
    hold_torch_to(1)
    cases = held_out(dataset, ways[0].checkpoint, plan.notes)
    if not cases:
        raise DatasetError(f"{data}: no note was left out of training, so there is none to compare on")
    told("timing")
    costs = time_costs(ways, plan)
    recordings = [measure_sound(case, case.recording.audio, case.recording.phase) for case in cases]
    likely = _likelihoods(ways, [c.recording for c in held_out(dataset, ways[0].checkpoint, plan.likely)], told)
    rows = []
    for way, cost in zip(ways, costs, strict=True):
        quality = None
        if way.plays:
            told(f"playing {way.name}")
            quality = judge(cases, recordings, _played(way, cases, plan.seed))
        config = way.checkpoint.config
        row = (way.name, config.name, config.strategy, way.engine, way.precision, way.checkpoint.parameters)
        rows.append(Row(*row, cost, likely.get((id(way.checkpoint), way.precision)), quality))
    told(BASELINE)
    floor = judge(cases, recordings, [baseline(case) for case in cases])
    return [*rows, Row(BASELINE, BASELINE, BASELINE, None, None, None, None, None, floor)]


def held_out(dataset: Dataset, checkpoint: Checkpoint, count: int) -> list[Case]:
    """So many notes of each instrument that training left out, evenly over its range."""
    kinds = kinds_of(dataset)
    left_out = [r for r in dataset.recordings if r.note.split is not Split.TRAIN]
    chosen = of_each(left_out, lambda r: r.note.instrument, count, lambda r: r.note.key)
    release_s = checkpoint.config.release_s
    return [Case(r, kinds[r.note.instrument], dataset.hop, dataset.sample_rate, release_s) for r in chosen]


def time_costs(ways: Sequence[Way], plan: Plan) -> list[Cost]:
    """Every way alone and then together, in turn."""
    samplers = [way.open(1) for way in ways]
    alone = [Stopwatch(sampler, 1) for sampler in samplers]
    time_in_turn(alone, plan.seconds)
    many = [plan.together if way.quick else 1 for way in ways]
    together = [Stopwatch(way.open(count), count) for way, count in zip(ways, many, strict=True)]
    time_in_turn(together, plan.seconds)
    return [
        _cost(sampler, way.quick, one.timing.median_us, all_.timing.median_us, count)
        for way, sampler, one, all_, count in zip(ways, samplers, alone, together, many, strict=True)
    ]


def _cost(sampler: Sampler, quick: bool, alone_us: float, step_us: float, count: int) -> Cost:
    rate = sampler.config.network.sample_rate
    frames, took = steady_frames(1, 1), []
    for key in range(FIRST_HOPS if quick else 1):
        began = time.perf_counter()
        sampler.reset(0, key)
        sampler.advance([0], frames)
        took.append(1e3 * (time.perf_counter() - began))
    share, state = step_us / count, sampler.snapshot(0).nbytes
    return Cost(alone_us, alone_us * rate / 1e6, count, share, step_us * rate / 1e6, median(took), state)


def _likelihoods(
    ways: Sequence[Way], recordings: Sequence[Recording], told: Callable[[str], None]
) -> dict[tuple[int, str], Likelihood]:
    """Of every model that has a density, in every precision, once: a sampler changes nothing of it."""
    found: dict[tuple[int, str], Likelihood] = {}
    for way in ways:
        at = id(way.checkpoint), way.precision  # two models may have one name
        if at not in found and way.checkpoint.config.strategy not in WITHOUT_DENSITY:
            told(f"how likely {way.checkpoint.config.name} ({way.precision}) finds the notes")
            found[at] = Likelihood(*likelihood(weigher_of(way.checkpoint, way.precision), recordings))
    return found


def _played(way: Way, cases: Sequence[Case], seed: int) -> list[Audio]:
    sampler = way.open(len(cases))
    temperature = way.checkpoint.config.temperature
    return play_notes(sampler, [recording_frames(c.recording, sampler, temperature) for c in cases], seed)


def judge(cases: Sequence[Case], recordings: Sequence[Sound], played: Sequence[Audio]) -> Quality:
    """Playing against the recordings of its notes, whose figures are given."""
    notes, distances = [], []
    for case, recording, audio in zip(cases, recordings, played, strict=True):
        notes.append(compare(case, audio, measure_sound(case, audio), recording))
        both = min(len(audio), len(case.recording.audio))
        distances.append(stft_distance(case.recording.audio[:both], np.asarray(audio[:both])))
    return Quality(
        notes=len(notes),
        pitch_cents=median(abs(n.pitch_cents) for n in notes),
        hnr_db=mean(n.hnr_db for n in notes),
        recording_hnr_db=mean(n.recording_hnr_db for n in notes),
        level_db=mean(abs(n.level_db) for n in notes),
        log_mel_db=mean(n.log_mel_db for n in notes),
        stft_distance=mean(distances),
        silence_dbfs=max(n.after_release_dbfs for n in notes),
    )
