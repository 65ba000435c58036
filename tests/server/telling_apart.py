"""How well two kinds of sessions are told apart by when their audio arrives: features, a classifier, and chance.

Fisher's linear discriminant with a shrunk covariance; each half of the sessions is judged by what was learnt of the
other half. Chance is what the same procedure makes of labels that are dealt out anew.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
TOGETHER_S: Final = 0.0005  # frames that arrive so soon after one another left together
SHRINKAGE: Final = 0.1
PERMUTATIONS: Final = 2000
Z: Final = 1.96


@dataclass(frozen=True)
class Verdict:
    """What an observer could tell."""

    sessions: int
    accuracy: float
    low: float  # of accuracy's interval of 95% (Wilson 1927)
    high: float
    auc: float
    p: float  # the share of dealt-out labels that did as well by AUC

    def __str__(self) -> str:
        return (
            f"{self.accuracy:.2f} [{self.low:.2f}, {self.high:.2f}] of {self.sessions} sessions, "
            f"AUC {self.auc:.2f}, p = {self.p:.4f}"
        )


@dataclass(frozen=True)
class Seen:
    """One session from outside, times in seconds of one clock."""

    asked_at: float
    times: Floats  # when each frame arrived [frames]
    positions: Floats  # of each frame's first sample in the stream [frames]

    def after(self, position: float) -> Seen:
        """What came from this position on, as if it had been asked for then."""
        later = self.positions >= position
        times = self.times[later]
        return Seen(float(times[0]), times, self.positions[later])


def features(seen: Seen) -> Floats:
    """What arrival times look like: [18]."""
    times = seen.times
    lateness = times - times[0] - seen.positions
    fresh = np.concatenate([[True], np.diff(times) > TOGETHER_S])
    gaps = np.diff(times[fresh])
    settled = lateness[len(lateness) // 3 :]
    return np.array(
        [
            times[0] - seen.asked_at,
            times[-1] - times[0],
            *_shape(gaps),
            *_shape(lateness),
            np.abs(np.diff(gaps)).mean(),
            settled.std(),
        ]
    )


def _shape(values: Floats) -> list[float]:
    return [values.mean(), values.std(), *np.quantile(values, QUANTILES)]


def tell_apart(x: Floats, second: NDArray[np.bool_], permutations: int = PERMUTATIONS) -> Verdict:
    """x: features [sessions, n]; second: which sessions are of the second kind, as many as of the first."""
    rng = np.random.default_rng(0)
    half = _halves(second, rng)
    scores = _judge(x, second, half)
    n, accuracy = len(second), float(np.mean((scores > 0) == second))
    found = auc(scores, second)
    chance = []
    for _ in range(permutations):
        dealt = rng.permutation(second)
        chance.append(auc(_judge(x, dealt, _halves(dealt, rng)), dealt))
    p = (1 + sum(other >= found for other in chance)) / (1 + permutations)
    return Verdict(n, accuracy, *wilson(accuracy, n), found, p)


def _halves(second: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which sessions are of the first half: as many of either kind."""
    half = np.zeros(len(second), dtype=np.bool_)
    for kind in (False, True):
        of_kind = rng.permutation(np.flatnonzero(second == kind))
        half[of_kind[: len(of_kind) // 2]] = True
    return half


def _judge(x: Floats, second: NDArray[np.bool_], half: NDArray[np.bool_]) -> Floats:
    """Above 0 where a session looks like the second kind, to who knows the other half alone: [sessions]."""
    scores = np.empty(len(second))
    for known in (half, ~half):
        scores[~known] = _discriminant(x[known], second[known], x[~known])
    return scores


def _discriminant(x: Floats, second: NDArray[np.bool_], unknown: Floats) -> Floats:
    scale = x.std(axis=0) + 1e-12
    x, unknown = x / scale, unknown / scale
    means = [x[second == kind].mean(axis=0) for kind in (False, True)]
    centred = x - np.where(second[:, None], means[1], means[0])
    covariance = centred.T @ centred / len(x)
    covariance = (1 - SHRINKAGE) * covariance + SHRINKAGE * np.eye(x.shape[1])
    direction = np.linalg.solve(covariance, means[1] - means[0])
    scores: Floats = (unknown - (means[0] + means[1]) / 2) @ direction
    return scores


def auc(scores: Floats, second: NDArray[np.bool_]) -> float:
    """How often one of the second kind scores above one of the first (Mann and Whitney 1947), ties by half."""
    a, b = scores[second], scores[~second]
    above = (a[:, None] > b[None, :]).mean() + (a[:, None] == b[None, :]).mean() / 2
    return float(above)


def wilson(share: float, n: int) -> tuple[float, float]:
    """The interval of 95% of a share that was seen in n trials."""
    centre = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z * math.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n)) / (1 + Z * Z / n)
    return centre - half, centre + half
