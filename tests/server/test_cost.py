from __future__ import annotations

import time
from itertools import cycle
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ostinato.models import registry
from ostinato.server.cost import StepCost, step_rtf
from ostinato.server.pool import Pool

TINY = registry.load("tiny")
HOP_S = TINY.config.network.hop / TINY.config.network.sample_rate


class Timed:
    """A sampler whose hops take the times it is given."""

    def __init__(self, *times: float) -> None:
        self.config, self.slots, self.now = TINY.config, 4, 0.0
        self.calls: list[int] = []
        self._times = cycle(times)

    def reset(self, slot: int, key: int) -> None:
        pass

    def advance(self, slots: Any, controls: NDArray[np.float32]) -> NDArray[np.float32]:  # noqa: ANN401
        assert controls.shape[:2] == (len(slots), 1)
        self.calls.append(len(slots))
        self.now += next(self._times)
        return np.zeros((len(slots), TINY.config.network.hop), dtype=np.float32)

    def measured(self, voices: int, seconds: float) -> float:
        return step_rtf(self, voices, seconds, clock=lambda: self.now)  # type: ignore[arg-type]


def test_what_happens_now_and_then_does_not_count() -> None:
    sampler = Timed(0.001, 0.001, 0.001, 0.03)
    assert sampler.measured(3, 0.5) == pytest.approx(0.001 / HOP_S)
    assert set(sampler.calls) == {3}


def test_the_first_hop_is_left_out_and_a_slow_model_is_given_up_on_soon() -> None:
    sampler = Timed(5.0, 1.0)
    assert sampler.measured(1, 0.1) == pytest.approx(1.0 / HOP_S)
    assert len(sampler.calls) == 2


@pytest.mark.parametrize(
    ("cost", "live"),
    [
        (StepCost(0.1, 0.8, 8), 8),
        (StepCost(0.1, 0.45, 8), 16),
        (StepCost(0.01, 0.05, 8), 32),
        (StepCost(0.5, 0.5, 8), 32),  # a batch that costs what one costs
        (StepCost(0.5, 0.49, 8), 32),
        (StepCost(0.5, 0.9, 2), 1),
        (StepCost(0.85, 6.8, 8), 1),
        (StepCost(0.86, 0.86), 0),
        (StepCost(0.4, 0.4), 2),  # nothing is known of more than one
    ],
)
def test_so_many_live_voices_fit(cost: StepCost, live: int) -> None:
    assert cost.live_voices(32) == live


def test_a_pool_is_measured_soon_and_gives_every_slot_away_as_new() -> None:
    began = time.monotonic()
    pool = Pool(TINY, "native", "auto", 4)
    assert time.monotonic() - began < 2.0
    assert (pool.cost.width, pool.free) == (4, 4)
    assert 0 < pool.cost.one < 0.85
    assert Pool(TINY, "native", "auto", 1).live_voices == 1
