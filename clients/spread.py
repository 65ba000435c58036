"""A spread of measurements, told by its percentiles. It holds so many at most, however long it is fed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random
from typing import Final

KEPT: Final = 10_000  # whose order is found in a millisecond


class Spread:
    """Measurements: all of them, or, of more than are kept, as many drawn with even chances."""

    def __init__(self, kept: int = KEPT) -> None:
        self.count = 0
        self.greatest: float | None = None
        self._kept = kept
        self._values: list[float] = []
        self._random = Random(0)

    def add(self, value: float) -> None:
        """Take one more."""
        self.count += 1
        self.greatest = value if self.greatest is None else max(value, self.greatest)
        if len(self._values) < self._kept:
            self._values.append(value)
        elif (place := self._random.randrange(self.count)) < self._kept:
            self._values[place] = value

    def percentiles(self, *percents: float) -> tuple[float | None, ...]:
        """The values at or below which so many percent lie, nearest rank: each of them was measured. None of none."""
        ordered = sorted(self._values)
        return tuple(percentile(ordered, percent) if ordered else None for percent in percents)


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The nearest rank in ascending values, of which there must be one; percent in 0..100."""
    return ordered[max(0, math.ceil(percent / 100.0 * len(ordered)) - 1)]
