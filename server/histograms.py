"""HDR histograms of durations: any from 1 ns to 100 s within 1%, in fixed memory, since the start and of late.

hdrhistogram lays out the buckets and holds the counters. Its `record_value` takes 0.6 us, which thousands of
deliveries a second would feel; so a measurement is put aside (0.04 us), and once a second all are counted in one
pass, in the counters that `record_value` would have picked.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from hdrh.histogram import HdrHistogram  # type: ignore[import-untyped]
from numpy.typing import NDArray

from ostinato.server.measurements import Spread

HIGHEST_S: Final = 100.0  # what is longer counts as this long
DIGITS: Final = 2  # significant ones that are kept
NS: Final = 1e9
LAP_S: Final = 20.0  # how often what was counted is remembered
LAPS: Final = 3  # so many are: figures of late look back 40 to 60 s


def _layout() -> HdrHistogram:
    return HdrHistogram(1, round(HIGHEST_S * NS), DIGITS)


_LAYOUT: Final = _layout()
BUCKETS: Final[int] = _LAYOUT.counts_len
HALF_BITS: Final[int] = _LAYOUT.sub_bucket_half_count_magnitude
# the greatest duration that each bucket counts, which is what the library tells for a percentile
UPPER_S: Final = np.array(
    [_LAYOUT.get_highest_equivalent_value(_LAYOUT.get_value_from_index(i)) / NS for i in range(BUCKETS)]
)


@dataclass(frozen=True, eq=False)
class Counts:
    """How many durations fell into each bucket. Never written again once it is made, so any thread may read it."""

    buckets: NDArray[np.int64]  # [BUCKETS]
    total_s: float  # the sum of the durations, exact

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.buckets + other.buckets, self.total_s + other.total_s)

    def __sub__(self, earlier: Counts) -> Counts:
        return Counts(self.buckets - earlier.buckets, self.total_s - earlier.total_s)

    @property
    def count(self) -> int:
        """Durations."""
        return int(self.buckets.sum())

    def quantile(self, share: float) -> float | None:
        """The duration, in seconds, that `share` (0..1) of them do not exceed; None where there are none."""
        upto = np.cumsum(self.buckets)
        if not upto[-1]:
            return None
        rank = max(1, int(share * upto[-1] + 0.5))
        return float(UPPER_S[np.searchsorted(upto, rank)])

    def at_most(self, bounds_s: Iterable[float]) -> list[int]:
        """For each bound in seconds, how many durations do not exceed it."""
        upto = np.concatenate(([0], np.cumsum(self.buckets)))
        return [int(upto[np.searchsorted(UPPER_S, bound, side="right")]) for bound in bounds_s]

    def spread(self, scale: float) -> Spread:
        """The spread of the durations, each in seconds times `scale`."""
        p50, p99, most = (self.quantile(share) for share in (0.5, 0.99, 1.0))
        if p50 is None or p99 is None or most is None:
            return Spread()
        return Spread(
            p50=round(p50 * scale, 4), p99=round(p99 * scale, 4), most=round(most * scale, 4), count=self.count
        )


NOTHING: Final = Counts(np.zeros(BUCKETS, dtype=np.int64), 0.0)


@dataclass(frozen=True, eq=False)
class Measured:
    """One quantity: all of its durations, and those that were there a while ago."""

    total: Counts = NOTHING
    before: Counts = NOTHING

    def __add__(self, other: Measured) -> Measured:
        return Measured(self.total + other.total, self.before + other.before)

    @property
    def recent(self) -> Counts:
        """The durations of the last 40 to 60 s."""
        return self.total - self.before


class Histogram:
    """The durations of one quantity. Kept by one thread, which calls `fold` about once a second."""

    def __init__(self) -> None:
        self._hdr = _layout()
        self._counters = np.frombuffer(self._hdr.counts, dtype=np.uint64)  # its own, so that they count here
        self._aside = array("d")
        self.record: Final[Callable[[float], None]] = self._aside.append  # takes a duration in seconds
        self._many: list[NDArray[np.float64]] = []
        self._counts = NOTHING
        self._laps: deque[Counts] = deque([NOTHING], LAPS)
        self._lap_ends: float | None = None

    def extend(self, seconds: NDArray[np.float64]) -> None:
        """Take many durations."""
        if len(seconds):
            self._many.append(seconds)

    def fold(self, now: float) -> Measured:
        """Count what was put aside: how things stand at a time."""
        if self._aside or self._many:
            fresh = np.concatenate((np.array(self._aside), *self._many))
            del self._aside[:], self._many[:]
            self._count(fresh)
            counted = self._counters.astype(np.int64)
            counted.flags.writeable = False
            self._counts = Counts(counted, self._counts.total_s + float(fresh.sum()))
        if self._lap_ends is None or now >= self._lap_ends:
            if self._lap_ends is not None:
                self._laps.append(self._counts)
            self._lap_ends = now + LAP_S
        return Measured(self._counts, self._laps[0])

    def _count(self, seconds: NDArray[np.float64]) -> None:
        ns = np.rint(np.clip(seconds, 0.0, HIGHEST_S) * NS)
        shift = np.maximum(np.frexp(ns)[1] - (HALF_BITS + 1), 0).astype(np.int64)
        index = (shift << HALF_BITS) + (ns.astype(np.int64) >> shift)
        np.add.at(self._counters, index, np.uint64(1))
