"""What a step costs by the voices in it, measured, and how many voices fit into real time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Final

import numpy as np

from ostinato.models.controls import VoiceTimeline
from ostinato.models.sampling.contract import Sampler

LIVE_SHARE: Final = 0.85  # of real time that live voices may take; the rest is for deliveries and background work
ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True)
class StepCost:
    """Real-time factors of one voice and of several drawn together; between and beyond them, a straight line."""

    one: float
    several: float
    width: int = 1  # voices of `several`

    def rtf(self, voices: int) -> float:
        """The real-time factor of so many voices."""
        return self.one + self._another * (voices - 1) if voices else 0.0

    def live_voices(self, most: int) -> int:
        """How many fit into the live share of real time, at most so many."""
        return max((n for n in range(1, most + 1) if self.rtf(n) <= LIVE_SHARE + ROUNDING), default=0)

    @property
    def _another(self) -> float:
        """What one more voice adds."""
        return max(0.0, self.several - self.one) / (self.width - 1) if self.width > 1 else self.one


def step_rtf(sampler: Sampler, voices: int, seconds: float, clock: Callable[[], float] = time.perf_counter) -> float:
    """The real-time factor of the first slots of a sampler, measured for so long; two hops at least.

    It is the median over hops, so that what else the machine does for a moment does not count. The first hop, which
    fills caches, is left out.
    """
    config, slots, spent = sampler.config, range(voices), list[float]()
    network, voice = config.network, VoiceTimeline(note=60.0, velocity=0.8, instrument=0, onset=0)
    for slot in slots:
        sampler.reset(slot, slot)
    until, hop = 0.0, 0
    while len(spent) < 2 or clock() < until:
        frames = voice.frames(
            hop * network.hop,
            1,
            hop=network.hop,
            sample_rate=network.sample_rate,
            bend=np.zeros(1),
            temperature=np.array([config.temperature]),
        )
        controls = np.repeat(frames[None], voices, axis=0)  # [voices, 1, channels]
        began = clock()
        sampler.advance(slots, controls)
        spent.append(clock() - began)
        until = until or clock() + seconds
        hop += 1
    return median(spent[1:]) / network.hop * network.sample_rate
