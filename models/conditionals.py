"""What a NADE's conditionals are over bits and over real numbers, as the papers have them.

`heads.py` has the distributions over 16-bit audio; these two are continuous or binary, exact and normalised, and are
what the algorithm itself is held to.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ostinato.models.heads import COLDEST


@dataclass(frozen=True)
class Bernoulli:
    """One bit: its logit is the only parameter (Larochelle and Murray 2011, equation 6)."""

    parameters: int = 1
    draws: int = 1

    def log_prob(self, parameters: Tensor, samples: Tensor) -> Tensor:
        """Natural log of the probability of bits [...] that are 0 or 1: [...]."""
        logit = parameters[..., 0]
        return functional.logsigmoid(torch.where(samples > 0.5, logit, -logit))

    def sample(self, parameters: Tensor, uniforms: Tensor, temperature: Tensor) -> Tensor:
        """1 where the uniform lies below the probability of it; the temperature divides the logit."""
        probability = (parameters[..., 0] / temperature.clamp(min=COLDEST)).sigmoid()
        return (uniforms[..., 0] < probability).to(parameters.dtype)


@dataclass(frozen=True)
class Gaussians:
    """A mixture of K Gaussians: K logits, K means, K log deviations (Uria et al. 2013, equations 6 to 9)."""

    components: int

    @property
    def parameters(self) -> int:
        """Of one conditional."""
        return 3 * self.components

    @property
    def draws(self) -> int:
        """Uniforms of one draw: which component, and where in it."""
        return 2

    def log_prob(self, parameters: Tensor, samples: Tensor) -> Tensor:
        """Natural log of the density at samples [...]: [...]."""
        logits, means, log_deviations = parameters.chunk(3, dim=-1)
        standard = (samples[..., None] - means) * torch.exp(-log_deviations)
        each = -0.5 * standard**2 - log_deviations - 0.5 * math.log(2 * math.pi)
        return torch.logsumexp(logits.log_softmax(-1) + each, dim=-1)

    def sample(self, parameters: Tensor, uniforms: Tensor, temperature: Tensor) -> Tensor:
        """The inverse distribution function of the chosen component; the temperature widens it and evens the choice."""
        logits, means, log_deviations = parameters.chunk(3, dim=-1)
        cumulative = (logits / temperature.clamp(min=COLDEST)[..., None]).softmax(-1).cumsum(-1)
        chosen = (cumulative[..., :-1] <= uniforms[..., :1]).sum(-1, keepdim=True)
        mean, log_deviation = means.gather(-1, chosen)[..., 0], log_deviations.gather(-1, chosen)[..., 0]
        standard: Tensor = torch.special.ndtri(uniforms[..., 1])
        return mean + log_deviation.exp() * temperature * standard
