"""What a draft gains a model, and that it changes nothing.

    python -m ostinato.models.benching.speculation [--model NAME]

Times are of one stream through the samplers, medians over windows that take turns, so that whatever else the machine
does meets all of them. A window pays where it yields more samples than the plain sampler draws in its time: of w
proposals (1 - a^w) / (1 - a), a being the share of them that is taken, and less where it meets the end of a block.

A model without a draft of its own, such as r64 whose weights are random, gets a random one: what is taken then means
nothing, and what would have to be taken still holds.

Exactness is tested on what was played, free-running: each sample's place in the model's own distribution, probed along
what was heard, must be uniform and independent of the one before (Rosenblatt 1952), spread within its level at random.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ostinato.models.benching.roofline import PRECISIONS, Precision
from ostinato.models.checkpoint import Checkpoint
from ostinato.models.config import LogisticsHead
from ostinato.models.controls import FRAME, VoiceTimeline
from ostinato.models.heads import STEP
from ostinato.models.registry import load_name_or_folder, random_checkpoint
from ostinato.models.sampling.contract import Sampler
from ostinato.models.sampling.native import NativeSampler
from ostinato.models.sampling.speculative import MOST_WINDOW, SpeculativeSampler
from ostinato.models.training.recipe import draft_config

WINDOWS: Final = (2, 3, 4, 6, 8, 16)
BLOCK_HOPS: Final = 32  # a timed call: 46 ms of audio
ROUNDS: Final = 21
NOTE_S: Final = 2.0
BINS: Final = 10  # each way, of a sample's place and that of the one before


@dataclass(frozen=True)
class Gain:
    """One window's row."""

    model: str
    precision: str
    window: int
    acceptance: float
    samples_a_window: float
    us_per_sample: float
    plain_us_per_sample: float
    speedup: float
    pays_from: float | None  # share of proposals taken; None: never


@dataclass(frozen=True)
class Exactness:
    """p-values of what was played; small ones speak against the model's distribution."""

    model: str
    precision: str
    window: int
    samples: int
    acceptance: float
    uniform_p: float  # Kolmogorov and Smirnov
    independent_p: float  # chi squared over pairs


def notes(checkpoint: Checkpoint, seconds: float, seed: int = 0) -> NDArray[np.float32]:
    """One note of each instrument, held for three quarters: [instruments, frames, channels]."""
    config, net = checkpoint.config, checkpoint.config.network
    count, rng = math.ceil(seconds * net.sample_rate / net.hop), np.random.default_rng(seed)
    voices = [
        VoiceTimeline(float(rng.uniform(i.low, i.high)), 0.8, index, onset=0, release=3 * count // 4 * net.hop)
        for index, i in enumerate(config.instruments)
    ]
    still = {"bend": 0.0, "temperature": config.temperature}
    return np.stack([v.frames(0, count, hop=net.hop, sample_rate=net.sample_rate, **still) for v in voices])


def gains(checkpoint: Checkpoint, draft: Checkpoint, precision: Precision) -> list[Gain]:
    """Every window beside the plain sampler, block by block in turn."""
    net = checkpoint.config.network
    frames = notes(checkpoint, BLOCK_HOPS * ROUNDS * net.hop / net.sample_rate)
    own: list[Sampler] = [NativeSampler(checkpoint, len(frames), precision=precision)]
    own += [SpeculativeSampler(checkpoint, draft, len(frames), w, precision=precision) for w in WINDOWS]
    took: list[list[float]] = [[] for _ in own]
    for at in range(0, ROUNDS * BLOCK_HOPS, BLOCK_HOPS):
        for sampler, times in zip(own, took, strict=True):
            for voice, row in enumerate(frames):
                block = np.ascontiguousarray(row[None, at : at + BLOCK_HOPS])
                times.append(_timed(lambda s=sampler, v=voice, b=block: s.advance([v], b)))  # type: ignore[misc]
    samples = BLOCK_HOPS * net.hop
    plain, *others = (1e6 * median(times) / samples for times in took)
    return [
        _gain(checkpoint, sampler, us, plain)
        for sampler, us in zip(own[1:], others, strict=True)
        if isinstance(sampler, SpeculativeSampler)
    ]


def _gain(checkpoint: Checkpoint, sampler: SpeculativeSampler, us: float, plain: float) -> Gain:
    tally, window = sampler.tally, sampler.window
    needed = us * tally.per_window / plain  # samples that a window must yield
    name, precision = checkpoint.config.name, sampler.build.precision
    row = (name, precision, window, tally.acceptance, tally.per_window, us, plain, plain / us)
    return Gain(*row, acceptance_for(needed, window))


def acceptance_for(samples: float, window: int) -> float | None:
    """The share of proposals that must be taken for a window to yield so many samples; None where none is enough."""
    if samples > samples_of(1.0, window):
        return None
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        enough = samples_of(middle, window) >= samples
        low, high = (low, middle) if enough else (middle, high)
    return high


def samples_of(acceptance: float, window: int, block: int = MOST_WINDOW) -> float:
    """Samples that a window yields in the mean, where windows stop at every `block` samples."""
    windows = [0.0]  # that are needed for so many samples, from 0 on
    for left in range(1, block + 1):
        size = min(window, left)
        ends = [acceptance ** (k - 1) * (1 - acceptance) for k in range(1, size)] + [acceptance ** (size - 1)]
        windows.append(1 + sum(share * windows[left - k] for k, share in enumerate(ends, 1)))
    return block / windows[block]


def _timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def exactness(checkpoint: Checkpoint, draft: Checkpoint, precision: Precision, window: int = 4) -> Exactness:
    """Play a note of every instrument through the draft, and find each sample's place in the model's distribution."""
    from scipy import stats

    frames = notes(checkpoint, NOTE_S, seed=1)
    sampler = SpeculativeSampler(checkpoint, draft, len(frames), window, precision=precision)
    for slot in range(len(frames)):
        sampler.reset(slot, 1000 + slot)
    heard = sampler.advance(range(len(frames)), frames)
    tally, rng = sampler.tally, np.random.default_rng(0)
    alone = NativeSampler(checkpoint, 1, precision=precision)
    places = []
    for slot, row in enumerate(heard):
        alone.reset(0, 1000 + slot)
        parameters = alone.probe(0, frames[slot], row)
        places.append(_places(checkpoint, frames[slot], row, parameters, rng))
    every = np.concatenate(places)
    pairs = np.concatenate([np.stack((p[:-1], p[1:])) for p in places], axis=1)
    cells = np.minimum(pairs * BINS, BINS - 1).astype(int)
    counts = np.bincount(cells[0] * BINS + cells[1], minlength=BINS**2)
    independent = stats.chisquare(counts).pvalue
    uniform = stats.kstest(every, "uniform").pvalue
    name = checkpoint.config.name
    return Exactness(name, precision, window, len(every), tally.acceptance, float(uniform), float(independent))


def _places(
    checkpoint: Checkpoint,
    frames: NDArray[np.float32],
    heard: NDArray[np.float32],
    parameters: NDArray[np.float32],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Where each sample lies in its distribution, 0..1: heard [T], parameters [T, P] of a mixture of logistics."""
    net = checkpoint.config.network
    assert isinstance(net.head, LogisticsHead)
    own = np.array([i.temperature for i in checkpoint.config.instruments])
    instrument = frames[:, FRAME.index("instrument")].astype(int)
    warm = np.repeat(frames[:, FRAME.index("temperature")] * own[instrument], net.hop)[:, None]
    logits, means, log_scales = np.split(parameters.astype(np.float64), 3, axis=1)
    weights = np.exp((logits - logits.max(axis=1, keepdims=True)) / warm)
    weights /= weights.sum(axis=1, keepdims=True)
    scales = np.exp(np.maximum(log_scales, net.head.log_scale_min)) * warm
    before = np.concatenate(([0.0], heard[:-1].astype(np.float64)))
    drawn = np.round((heard - net.pre_emphasis * before) / STEP) * STEP

    def below(edge: NDArray[np.float64]) -> NDArray[np.float64]:
        z = np.clip((edge[:, None] - means) / scales, -700, 700)
        return np.asarray((weights / (1 + np.exp(-z))).sum(axis=1))

    low, high = below(drawn - STEP / 2), below(drawn + STEP / 2)
    return low + (high - low) * rng.random(len(heard))


def table(rows: list[Gain]) -> str:
    """For people."""
    head = "model    precision  window  taken  a window  us/sample  plain  speedup  pays from"
    lines = [
        f"{r.model:<8} {r.precision:<9}  {r.window:>6}  {r.acceptance:>5.3f}  {r.samples_a_window:>8.2f}"
        f"  {r.us_per_sample:>9.2f}  {r.plain_us_per_sample:>5.2f}  {r.speedup:>7.2f}"
        f"  {'never' if r.pays_from is None else f'{r.pays_from:.2f}':>9}"
        for r in rows
    ]
    return "\n".join([head, *lines])


def main() -> None:
    """Run it."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--model", action="append", help="a name or folder; default: default and r64")
    options.add_argument("--json", action="store_true")
    chosen = options.parse_args()
    rows, proofs = [], []
    for name in chosen.model or ("default", "r64"):
        checkpoint = load_name_or_folder(name)
        draft = checkpoint.draft or random_checkpoint(draft_config(checkpoint.config))
        for precision in PRECISIONS:
            if precision == "float32" or (checkpoint.calibration and draft.calibration):
                rows += gains(checkpoint, draft, precision)
                if checkpoint.draft and isinstance(checkpoint.config.network.head, LogisticsHead):
                    proofs.append(exactness(checkpoint, draft, precision))
    if chosen.json:
        found: dict[str, Any] = {"gains": [asdict(r) for r in rows], "exactness": [asdict(p) for p in proofs]}
        print(json.dumps(found, indent=1))
        return
    print(table(rows))
    for p in proofs:
        print(
            f"{p.model}, {p.precision}, window {p.window}: {p.samples:,} samples, {p.acceptance:.3f} taken; "
            f"uniform p = {p.uniform_p:.3f}, independent p = {p.independent_p:.3f}"
        )


if __name__ == "__main__":
    main()
