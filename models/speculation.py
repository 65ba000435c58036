"""Exact speculative sampling, slow and plain: what the native kernel's is held against.

A draft q proposes x, which the model p takes with probability min(1, p(x) / q(x)); else a value is drawn by
max(0, p - q), normalised (Leviathan et al. 2023, Chen et al. 2023, theorem 1). What comes out is distributed as p,
for min(p, q) + (1 - sum of min(p, q)) max(0, p - q) / sum of max(0, p - q) = p.

The noise of sample t of a voice: words 0 and 1 of its proposal's counter draw x, word 2 decides. The n-th try of a
remainder draws from p by words 0 and 1 of its own counter and keeps the value with probability 1 - q / p by word 2;
after `TRIES` the remainder is summed up and its inverse distribution function taken at word 3 of the first counter.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from ostinato.models import noise
from ostinato.models.config import GaussianHead, HeadConfig, LogisticsHead, MuLawHead
from ostinato.models.heads import COLDEST, STEP, Head, make_head

TRIES: Final = 64
FARTHEST_LOGIT: Final = 17.0  # beyond the logit of every uniform of 23 bits
NARROWEST: Final = 1e-10  # scales below this, as at temperature 0, are taken as this


@dataclass(frozen=True)
class Density:
    """What a head says of one sample at a temperature: parameters float64 [P]."""

    config: HeadConfig
    amplitude: float
    parameters: Tensor
    temperature: float

    @property
    def head(self) -> Head:
        """Its distribution at temperature 1, of `warmed` parameters.

        A Gaussian is judged before it is held within the amplitude, which is as exact.
        """
        config = self.config
        if not isinstance(config, MuLawHead):  # scales were held from below before they were narrowed
            config = config.model_copy(update={"log_scale_min": -math.inf})
        return make_head(config, math.inf if isinstance(config, GaussianHead) else self.amplitude)

    @property
    def warmed(self) -> Tensor:
        """Parameters of the same head that at temperature 1 draws as these do."""
        warm, p = max(self.temperature, COLDEST), self.parameters
        if isinstance(self.config, MuLawHead):
            return p / warm
        count = self.config.components if isinstance(self.config, LogisticsHead) else 1
        scales = p[-count:].clamp(min=self.config.log_scale_min)
        narrowed = (scales.exp() * self.temperature).clamp(min=NARROWEST).log()
        return torch.cat((p[: -2 * count] / warm, p[-2 * count : -count], narrowed))

    def probability(self, value: float) -> float:
        """Of a level; of a Gaussian, the density times the width of one."""
        return float(self.head.log_prob(self.warmed, torch.tensor(value, dtype=torch.float64)).exp())

    def draw(self, first: float, second: float) -> float:
        """A value from two uniforms in (0, 1)."""
        uniforms = torch.tensor([first, second], dtype=torch.float64)
        warm = torch.tensor(self.temperature, dtype=torch.float64)
        amplitude = math.inf if isinstance(self.config, GaussianHead) else self.amplitude
        return float(make_head(self.config, amplitude).sample(self.parameters, uniforms, warm))


def judge(p: Density, q: Density, key: int, sample: int, tries: int = TRIES) -> tuple[float, bool]:
    """The value of a voice's sample, and whether it is what the draft proposes; not yet held within the amplitude."""
    first, second, verdict, _ = _uniforms(key, sample, 0, noise.PURPOSE_PROPOSAL)
    value = q.draw(first, second)
    if verdict * q.probability(value) < p.probability(value):
        return value, True
    return _remainder(p, q, key, sample, tries), False


def _remainder(p: Density, q: Density, key: int, sample: int, tries: int) -> float:
    """A value by max(0, p - q)."""
    last = _uniforms(key, sample, 0, noise.PURPOSE_RESIDUAL)[3]
    if isinstance(p.config, MuLawHead):
        levels = torch.arange(p.config.levels)
        return _listed(p, q, last, make_head(p.config, p.amplitude).decode(levels).tolist())  # type: ignore[attr-defined]
    for n in range(tries):
        first, second, verdict, _ = _uniforms(key, sample, n, noise.PURPOSE_RESIDUAL)
        value = p.draw(first, second)
        there = p.probability(value)
        if verdict * there < there - q.probability(value):
            return value
    if isinstance(p.config, LogisticsHead):
        return _listed(p, q, last, _reachable(p))
    return _inverted(p, q, last)


def _listed(p: Density, q: Density, uniform: float, values: list[float]) -> float:
    """The value at which the running sum of max(0, p - q) passes its share."""
    rest = np.cumsum([max(0.0, p.probability(v) - q.probability(v)) for v in values])
    return values[min(int(np.searchsorted(rest, uniform * rest[-1], side="right")), len(values) - 1)]


def _reachable(p: Density) -> list[float]:
    """Every level that a draw can reach."""
    _, means, log_scales = p.warmed.chunk(3)
    reach = FARTHEST_LOGIT * log_scales.exp()
    low, high = float((means - reach).min()), float((means + reach).max())
    first = max(round(low / STEP), round(-p.amplitude / STEP))
    last = min(round(high / STEP), round(p.amplitude / STEP) - 1)
    return [level * STEP for level in range(first, max(first, last) + 1)]


def _inverted(p: Density, q: Density, uniform: float) -> float:
    """The same of two Gaussians, whose remainder is summed over a fine grid within 8 scales of p's mean."""
    mean, log_scale = p.warmed
    grid = torch.linspace(-8, 8, 400_001, dtype=torch.float64) * log_scale.exp() + mean
    there, proposed = (d.head.log_prob(d.warmed, grid).exp() for d in (p, q))
    rest = (there - proposed).clamp(min=0).cumsum(0)
    return float(grid[int(torch.searchsorted(rest, uniform * rest[-1]))])


def _uniforms(key: int, sample: int, block: int, purpose: int) -> tuple[float, ...]:
    """Four uniforms in (0, 1) of a counter."""
    voice, at, counter = (np.array([n], dtype=np.int64) for n in (noise.as_int64(key), noise.as_int64(sample), block))
    return tuple(float(noise.uniform(word)[0]) for word in noise.words_of(voice, at, counter, purpose))
