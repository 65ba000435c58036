"""What a step costs by the voices in it, as measured, and how many voices fit into real time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final

import numpy as np

from ostinato.models.controls import VoiceTimeline
from ostinato.models.sampling.contract import Sampler

LIVE_SHARE: Final = 0.85  # of real time that live voices may take; the rest is for deliveries and background work
LOOKED_AT_SHARE: Final = 0.95  # what is measured: admission looks at what else is done, and may grant so much
ROUNDING: Final = 1e-9
SHARE_OF_ONE: Final = 0.2  # of a check's time, for one voice: on it hangs whether a model can be live at all
SHARE_OF_MORE: Final = 0.06  # for each greater number of voices
OBSERVE_S: Final = 2.0  # of work, over which what is drawn is averaged
FORGET_S: Final = 10.0  # after which what was seen counts a third
MOST_DRIFT: Final = 3.0  # so that a moment in which the machine stood still keeps nobody out for long


@dataclass(frozen=True, slots=True)
class StepCost:
    """Real-time factors of steps of so many voices, as measured.

    Costs grow in stairs, a tile of streams or a thread's share at a time, and a full tile may cost less than most of
    one; so no line is drawn through them. A number of voices that was not measured counts as the next greater one
    that was; what is beyond all of them is not promised.
    """

    measured: tuple[tuple[int, float], ...] = ()  # (voices, real-time factor)

    def rtf(self, voices: int) -> float:
        """The most that up to so many voices cost, since not all may sound; infinite beyond what was measured."""
        if not voices:
            return 0.0
        enough = min((width for width, _ in self.measured if width >= voices), default=None)
        return math.inf if enough is None else max(rtf for width, rtf in self.measured if width <= enough)

    @property
    def live_voices(self) -> int:
        """How many fit into the live share of real time, as do all fewer."""
        return self.within(LIVE_SHARE)

    def within(self, share: float) -> int:
        """How many take so much of real time at most, as do all fewer."""
        return max((width for width, _ in self.measured if self.rtf(width) <= share + ROUNDING), default=0)


class RunningCost:
    """What steps cost, as measured before the first session, and kept true by what is drawn.

    The machine may be slower than it was, or faster: every number of voices is taken to cost in proportion. What was
    seen counts less the longer ago it is.

    Args:
        measured: at the start.
    """

    def __init__(self, measured: StepCost) -> None:
        self.measured: Final = measured
        self._drift, self._seen_at = 1.0, 0.0

    def rtf(self, voices: int, now: float) -> float:
        """The most that up to so many voices cost, infinite beyond what was measured."""
        return self.measured.rtf(voices) * self.drift(now)

    def drift(self, now: float) -> float:
        """How many times as much as measured at the start."""
        return 1.0 + (self._drift - 1.0) * math.exp((self._seen_at - now) / FORGET_S)

    def drawn(self, voices: int, seconds: float, audio_s: float, now: float) -> None:
        """A block of so much audio of so many voices took so long to draw."""
        expected = self.measured.rtf(voices) * audio_s
        if 0.0 < expected < math.inf:
            known = self.drift(now)
            weight = 1.0 - math.exp(-seconds / OBSERVE_S)
            self._drift = min(MOST_DRIFT, known + weight * (seconds / expected - known))
            self._seen_at = now


def fits(rtf: float) -> bool:
    """Whether live voices may take so much of real time."""
    return rtf <= LIVE_SHARE + ROUNDING


def measure_cost(sampler: Sampler, seconds: float, clock: Callable[[], float] = time.perf_counter) -> StepCost:
    """Find how many voices fit into real time, and what fewer cost.

    Takes so many seconds at most, or a single hop where that alone is longer; where time runs out, what was not
    measured is not promised. What seems too slow is measured twice, since the machine may have had a bad moment.
    """
    deadline, cost = clock() + seconds, StepCost()

    def measure(voices: int) -> float:
        share = SHARE_OF_ONE if voices == 1 else SHARE_OF_MORE
        return step_rtf(sampler, voices, min(share * seconds, deadline - clock()), clock)

    while voices := next_width(cost, sampler.slots):
        if cost.measured and clock() >= deadline:
            break
        rtf = measure(voices)
        if not fits(rtf) and clock() < deadline:
            rtf = min(rtf, measure(voices))
        cost = StepCost((*cost.measured, (voices, rtf)))
    return cost


def next_width(cost: StepCost, slots: int) -> int | None:
    """How many voices to measure next: twice as many until they do not fit, then the middle of what is open.

    Once it is known how many fit, the middle of the widest gap below; None where nothing is left.
    """
    most, widths = cost.within(LOOKED_AT_SHARE), sorted(width for width, _ in cost.measured)
    too_many = min((width for width in widths if width > most), default=None)
    if too_many is None and most < slots:
        return min(max(1, 2 * most), slots)
    if too_many is not None and too_many - most > 1:
        return (most + too_many) // 2
    gap, low = max(((high - low, low) for low, high in pairwise(widths) if high <= most), default=(1, 0))
    return low + gap // 2 if gap > 1 else None


def step_rtf(sampler: Sampler, voices: int, seconds: float, clock: Callable[[], float] = time.perf_counter) -> float:
    """The real-time factor of the first slots of a sampler, measured for so long at most, one hop at least.

    It is the median over hops, so that what else the machine does for a moment does not count. The first hop, which
    fills caches, is left out, unless it took so long that there was no time for a second.
    """
    config, slots, spent = sampler.config, range(voices), list[float]()
    network, voice = config.network, VoiceTimeline(note=60.0, velocity=0.8, instrument=0, onset=0)
    until = clock() + seconds
    for slot in slots:
        sampler.reset(slot, slot)
    while not spent or clock() + spent[-1] < until:
        frames = voice.frames(
            len(spent) * network.hop,
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
    return median(spent[1:] or spent) / network.hop * network.sample_rate
