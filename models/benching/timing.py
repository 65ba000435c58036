"""How long samplers take for a step, one sample of all streams, timed in turn.

A machine is never quiet for long. So every sampler of a comparison is timed in several rounds, the others' rounds
between, and what slows one round slows all of them. Of the blocks of all rounds a row states the median, which a few
disturbed ones don't move, and the fastest.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ostinato.models.controls import FRAME
from ostinato.models.sampling.contract import Sampler, Snapshot

ROUNDS: Final = 4
MOST_BLOCKS_A_ROUND: Final = 100
FRAMES_A_BLOCK: Final = 4
STEPWISE: Final = ("naive", "torch")  # whose steps are so long that a call does not count: one frame a block


@dataclass(frozen=True)
class Timing:
    """Microseconds of one step, over the blocks timed."""

    median_us: float
    best_us: float


class Stopwatch:
    """A sampler in its steady state, and how long its blocks took.

    Args:
        sampler: with at least `streams` slots; the first of them are reset.
        streams: advanced together, at least 1.
    """

    def __init__(self, sampler: Sampler, streams: int) -> None:
        self._sampler = sampler
        self._slots = list(range(streams))
        self._frames = steady_frames(streams, 1 if sampler.build.engine in STEPWISE else FRAMES_A_BLOCK)
        self._samples = self._frames.shape[1] * sampler.config.network.hop
        self._block_s: list[float] = []
        for slot in self._slots:
            sampler.reset(slot, slot + 1)
            if sampler.build.engine == "naive":  # a full receptive field behind it
                sampler.restore(slot, with_history(sampler.snapshot(slot), sampler.config.network.receptive_field))

    @property
    def blocks(self) -> int:
        """How many have been timed."""
        return len(self._block_s)

    @property
    def spent_s(self) -> float:
        """Seconds of all blocks timed."""
        return sum(self._block_s)

    @property
    def timing(self) -> Timing:
        """Of the blocks so far, at least one."""
        steps_us = 1e6 * np.array(self._block_s) / self._samples
        return Timing(float(np.median(steps_us)), float(steps_us.min()))

    def run(self, seconds: float) -> None:
        """Time at least one block, and as many as fit; one before, unless it costs too much, warms the caches."""
        if self._sampler.build.engine != "naive":
            self._sampler.advance(self._slots, self._frames)
        end = time.perf_counter() + seconds
        for _ in range(MOST_BLOCKS_A_ROUND):
            began = time.perf_counter()
            self._sampler.advance(self._slots, self._frames)
            self._block_s.append(time.perf_counter() - began)
            if time.perf_counter() > end:
                return


def time_in_turn(stopwatches: Sequence[Stopwatch], seconds: float) -> None:
    """Give each about so many seconds, in rounds; one whose first block took longer has had its share."""
    for _ in range(ROUNDS):
        for stopwatch in stopwatches:
            if stopwatch.spent_s < seconds:
                stopwatch.run(seconds / ROUNDS)


def steady_frames(streams: int, frames: int) -> NDArray[np.float32]:
    """Control frames of held notes a semitone apart: float32 [streams, frames, channels]."""
    out = np.zeros((streams, frames, len(FRAME)), dtype=np.float32)
    out[..., FRAME.index("note")] = 60 + np.arange(streams)[:, None] % 24
    out[..., FRAME.index("velocity")] = 0.7
    out[..., FRAME.index("gate")] = 1
    out[..., FRAME.index("since_onset")] = 0.5
    out[..., FRAME.index("temperature")] = 0.7
    return out


def with_history(state: Snapshot, samples: int) -> Snapshot:
    """A naive stream's state as if it had run for `samples` samples of silence."""
    widened = {
        name: np.zeros((samples, array.shape[1]), dtype=array.dtype) if name in ("inputs", "conditions") else array
        for name, array in state.arrays.items()
    }
    return Snapshot(state.engine, widened)
