"""How long to train, and the learning rate along the way."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

LONGEST_STEP_S: Final = 2.0  # a step counts for no more, so that a process held for a while is not charged for it
FLOOR: Final = 0.01  # of the learning rate, at the end


@dataclass(frozen=True)
class Budget:
    """Either a number of steps, or minutes of training."""

    steps: int | None = None
    minutes: float | None = None

    def __post_init__(self) -> None:
        """Refuse both or neither."""
        if (self.steps is None) == (self.minutes is None):
            raise ValueError(f"budget: give steps or minutes (steps: {self.steps}, minutes: {self.minutes})")

    def done(self, steps: int, seconds: float) -> float:
        """The share of the budget that is spent, 0..1."""
        share = steps / self.steps if self.steps is not None else seconds / (60 * (self.minutes or 1))
        return min(share, 1.0)

    def left_s(self, steps: int, seconds: float) -> float:
        """Seconds still to go at the speed so far."""
        share = self.done(steps, seconds)
        return seconds * (1 - share) / share if share else math.nan


def learning_rate(peak: float, step: int, warm_up: int, done: float) -> float:
    """A linear warm-up over `warm_up` steps, then half a cosine down to `FLOOR` of the peak."""
    cosine = FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * done))
    return peak * min(1.0, (step + 1) / warm_up) * cosine
