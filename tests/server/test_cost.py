from __future__ import annotations

import math
from itertools import cycle, pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ostinato.models import registry
from ostinato.server.cost import LIVE_SHARE, LOOKED_AT_SHARE, StepCost, measure_cost, next_width, step_rtf
from ostinato.server.pool import Pool, SamplerConfig

TINY = registry.load("tiny")
HOP_S = TINY.config.network.hop / TINY.config.network.sample_rate


class Timed:
    """A sampler whose hops take the times it is given, or by their voices, on a clock of its own."""

    def __init__(self, *times: float, by_voices: Any = None, slots: int = 4) -> None:  # noqa: ANN401
        self.config, self.slots, self.now = TINY.config, slots, 0.0
        self.calls: list[int] = []
        self._times, self._by_voices = cycle(times), by_voices

    def reset(self, slot: int, key: int) -> None:
        assert 0 <= slot < self.slots
        assert key >= 0

    def advance(self, slots: Any, controls: NDArray[np.float32]) -> NDArray[np.float32]:  # noqa: ANN401
        assert controls.shape[:2] == (len(slots), 1)
        self.calls.append(len(slots))
        self.now += self._by_voices(len(slots)) if self._by_voices else next(self._times)
        return np.zeros((len(slots), TINY.config.network.hop), dtype=np.float32)

    def measured(self, voices: int, seconds: float) -> float:
        return step_rtf(self, voices, seconds, clock=lambda: self.now)  # type: ignore[arg-type]

    def cost(self, seconds: float) -> StepCost:
        return measure_cost(self, seconds, clock=lambda: self.now)  # type: ignore[arg-type]


def stairs(rtf: float, tile: int) -> Any:  # noqa: ANN401
    """Seconds of a hop where every begun tile of streams costs so much of real time."""
    return lambda voices: math.ceil(voices / tile) * rtf * HOP_S


def test_what_happens_now_and_then_does_not_count() -> None:
    sampler = Timed(0.001, 0.001, 0.001, 0.03)
    assert sampler.measured(3, 0.5) == pytest.approx(0.001 / HOP_S)
    assert set(sampler.calls) == {3}


def test_the_first_hop_is_left_out() -> None:
    assert Timed(0.02, 0.001, 0.001).measured(1, 0.1) == pytest.approx(0.001 / HOP_S)


def test_one_hop_is_all_that_is_asked_of_a_model_that_needs_longer() -> None:
    sampler = Timed(5.0, 1.0)
    assert sampler.measured(1, 0.1) == pytest.approx(5.0 / HOP_S)
    assert len(sampler.calls) == 1


@given(
    one=st.floats(0.001, 400.0),
    tile=st.integers(1, 16),
    slots=st.integers(1, 64),
    seconds=st.sampled_from([0.05, 0.25, 0.3]),
)
def test_a_check_ends_in_time_whatever_the_model_costs(one: float, tile: int, slots: int, seconds: float) -> None:
    sampler = Timed(by_voices=stairs(one, tile), slots=slots)
    cost = sampler.cost(seconds)
    last = one * math.ceil(sampler.calls[-1] / tile) * HOP_S
    assert sampler.now <= seconds + last
    assert cost.rtf(1) >= one * (1 - 1e-9)


@given(
    st.lists(st.floats(0.0, 0.4), min_size=1, max_size=40),
    st.sampled_from([0.02, 0.1, 0.25]),
)
def test_never_more_is_promised_than_was_measured(steps: list[float], seconds: float) -> None:
    """Whatever more voices cost more: a tile of streams, a wider product, the share of another thread."""
    rtfs = [1e-3 + sum(steps[: voices + 1]) for voices in range(len(steps))]
    sampler = Timed(by_voices=lambda voices: rtfs[voices - 1] * HOP_S, slots=len(steps))
    cost = sampler.cost(seconds)
    for voices, rtf in enumerate(rtfs, start=1):
        assert cost.rtf(voices) >= rtf * (1 - 1e-9)
    assert cost.live_voices == 0 or rtfs[cost.live_voices - 1] <= LIVE_SHARE + 1e-6


@pytest.mark.parametrize(
    ("rtf", "tile", "slots", "live"),
    [
        (0.1, 1, 32, 8),
        (0.06, 1, 32, 14),
        (0.3, 8, 32, 16),
        (0.3, 8, 12, 12),
        (0.5, 16, 32, 16),
        (0.85, 1, 32, 1),
        (0.86, 1, 32, 0),
        (0.02, 1, 32, 32),
        (0.001, 1, 500, 500),
    ],
)
def test_as_many_are_found_as_fit(rtf: float, tile: int, slots: int, live: int) -> None:
    assert Timed(by_voices=stairs(rtf, tile), slots=slots).cost(0.25).live_voices == live


def test_of_many_hundreds_nearly_all_are_found_in_time() -> None:
    assert 850 < Timed(by_voices=stairs(0.01, 10), slots=4096).cost(0.25).within(LOOKED_AT_SHARE) <= 950


def test_a_bad_moment_does_not_make_a_model_too_slow() -> None:
    sampler = Timed(0.03, *[0.1 * HOP_S] * 10_000)
    assert sampler.cost(0.1).live_voices == 4


def test_between_widths_the_next_greater_counts_and_beyond_them_nothing_is_promised() -> None:
    cost = StepCost(((1, 0.1), (4, 0.3), (8, 0.7)))
    assert [cost.rtf(n) for n in (0, 1, 2, 4, 5, 8)] == [0.0, 0.1, 0.3, 0.3, 0.7, 0.7]
    assert cost.rtf(9) == math.inf
    assert StepCost().rtf(1) == math.inf
    assert (cost.live_voices, StepCost().live_voices) == (8, 0)


def test_some_voices_count_as_the_dearest_of_as_many_and_fewer() -> None:
    cost = StepCost(((8, 0.7), (7, 0.9), (4, 0.4), (1, 0.1)))
    assert [cost.rtf(n) for n in (1, 2, 4, 5, 7, 8)] == [0.1, 0.4, 0.4, 0.9, 0.9, 0.9]
    assert cost.live_voices == 4


@given(st.lists(st.floats(0.01, 1.2), min_size=1, max_size=40))
def test_what_fits_fits_with_all_fewer_voices_that_were_measured(rtfs: list[float]) -> None:
    sampler = Timed(by_voices=lambda voices: rtfs[voices - 1] * HOP_S, slots=len(rtfs))
    cost = sampler.cost(0.25)
    assert all(rtf <= LIVE_SHARE + 1e-6 for voices, rtf in cost.measured if voices <= cost.live_voices)


def test_with_time_left_what_lies_between_is_measured() -> None:
    cost = Timed(by_voices=stairs(0.05, 1), slots=8).cost(0.25)
    assert [voices for voices, _ in sorted(cost.measured)] == [*range(1, 9)]
    assert next_width(cost, 8) is None
    assert all(high - low <= 2 for (low, _), (high, _) in pairwise(sorted(Timed(0.0001, slots=16).cost(0.25).measured)))


def test_a_pool_gives_every_slot_away_as_new_once_it_is_measured() -> None:
    pool = Pool(TINY, SamplerConfig("native", slots=4))
    assert (pool.live_voices, pool.free) == (0, 4)
    pool.measure(0.1)
    assert pool.live_voices > 0
    assert 0 < pool.cost.rtf(1, 0.0) < LIVE_SHARE
    assert pool.free == 4
