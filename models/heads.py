"""Output distributions: exact `log_prob`, and `sample(parameters, uniforms, temperature)`.

All work on samples in the model's own domain, within +-amplitude (1, or 2 where pre-emphasis can double a swing).
Temperature divides logits and multiplies scales; at 0 a draw is the likeliest component's centre.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from ostinato.models.config import GaussianHead, HeadConfig, LogisticsHead, MuLawHead

STEP: Final = 2.0**-15
"""Width of a 16-bit level; likelihoods are per such level, whatever the amplitude."""

COLDEST: Final = 1e-4
"""Temperatures below this are taken as this, which no draw can tell from 0."""


class Density(Protocol):
    """How likely one sample is, given head parameters [..., P]; how many, its config says."""

    def log_prob(self, parameters: Tensor, samples: Tensor) -> Tensor:
        """Natural log of the probability of the 16-bit level at `samples` [...]: [...]."""
        ...


class Head(Density, Protocol):
    """One that is drawn from too; by how many uniforms, its config says."""

    def sample(self, parameters: Tensor, uniforms: Tensor, temperature: Tensor) -> Tensor:
        """One draw: parameters [..., P], uniforms [..., draws] in (0, 1), temperature [...] -> [...]."""
        ...


@dataclass(frozen=True)
class MuLaw:
    """Categorical over mu-law levels (ITU-T G.711 companding, mu = levels - 1)."""

    config: MuLawHead

    def encode(self, samples: Tensor) -> Tensor:
        """Level index, int64, of samples in [-1, 1]."""
        mu = self.config.levels - 1
        companded = samples.clamp(-1, 1).sign() * torch.log1p(mu * samples.clamp(-1, 1).abs()) / math.log1p(mu)
        return ((companded + 1) / 2 * mu + 0.5).floor().long()

    def decode(self, index: Tensor) -> Tensor:
        """The sample in [-1, 1] of a level index."""
        mu = self.config.levels - 1
        companded = 2 * index.float() / mu - 1
        return companded.sign() * torch.expm1(companded.abs() * math.log1p(mu)) / mu

    def log_prob(self, parameters: Tensor, samples: Tensor) -> Tensor:
        """Natural log of the probability of the mu-law level (not the 16-bit one) that holds a sample."""
        return parameters.log_softmax(-1).gather(-1, self.encode(samples)[..., None])[..., 0]

    def sample(self, parameters: Tensor, uniforms: Tensor, temperature: Tensor) -> Tensor:
        """The level at which the cumulative distribution passes the uniform."""
        return self.decode(_categorical(parameters, uniforms[..., 0], temperature))


@dataclass(frozen=True)
class Logistics:
    """Mixture of logistics over 16-bit levels; the outermost levels hold the tails."""

    config: LogisticsHead
    amplitude: float = 1.0

    def split(self, parameters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """[..., 3 K] -> logits, means, log-scales (held from below), each [..., K]."""
        logits, means, log_scales = parameters.chunk(3, dim=-1)
        return logits, means, log_scales.clamp(min=self.config.log_scale_min)

    def quantise(self, samples: Tensor) -> Tensor:
        """The nearest level, within the amplitude."""
        return ((samples / STEP).round() * STEP).clamp(-self.amplitude, self.amplitude - STEP)

    def log_prob(self, parameters: Tensor, samples: Tensor) -> Tensor:
        """Exact also far out in the tails.

        With a, b the standardised edges of the level:
        sigmoid(b) - sigmoid(a) = sigmoid(b) sigmoid(-a) (1 - exp(a - b)).
        """
        logits, means, log_scales = self.split(parameters)
        x = self.quantise(samples)[..., None]
        scale = log_scales.exp()
        low, high = (x - STEP / 2 - means) / scale, (x + STEP / 2 - means) / scale
        inner = torch.log(-torch.expm1(-STEP / scale))
        at_bottom, at_top = x <= -self.amplitude, x >= self.amplitude - STEP
        log_prob = (
            torch.where(at_top, torch.zeros_like(high), functional.logsigmoid(high))
            + torch.where(at_bottom, torch.zeros_like(low), functional.logsigmoid(-low))
            + torch.where(at_top | at_bottom, torch.zeros_like(inner), inner)
        )
        return torch.logsumexp(logits.log_softmax(-1) + log_prob, dim=-1)

    def sample(self, parameters: Tensor, uniforms: Tensor, temperature: Tensor) -> Tensor:
        """The inverse distribution function of the chosen component, rounded to a level."""
        logits, means, log_scales = self.split(parameters)
        component = _categorical(logits, uniforms[..., 0], temperature)[..., None]
        mean, log_scale = means.gather(-1, component)[..., 0], log_scales.gather(-1, component)[..., 0]
        u = uniforms[..., 1]
        return self.quantise(mean + log_scale.exp() * temperature * (u.log() - (1 - u).log()))


@dataclass(frozen=True)
class Gaussian:
    """One Gaussian; its density times the width of a level stands for the level's probability."""

    config: GaussianHead
    amplitude: float = 1.0

    def log_prob(self, parameters: Tensor, samples: Tensor) -> Tensor:
        """Log N(x; mean, scale^2) + log STEP."""
        mean, log_scale = parameters[..., 0], parameters[..., 1].clamp(min=self.config.log_scale_min)
        standard = (samples - mean) * torch.exp(-log_scale)
        return -0.5 * standard**2 - log_scale - 0.5 * math.log(2 * math.pi) + math.log(STEP)

    def sample(self, parameters: Tensor, uniforms: Tensor, temperature: Tensor) -> Tensor:
        """Box and Muller, held within the amplitude."""
        mean, log_scale = parameters[..., 0], parameters[..., 1].clamp(min=self.config.log_scale_min)
        standard = (-2 * uniforms[..., 0].log()).sqrt() * torch.cos(2 * math.pi * uniforms[..., 1])
        return (mean + log_scale.exp() * temperature * standard).clamp(-self.amplitude, self.amplitude)


def _categorical(logits: Tensor, uniform: Tensor, temperature: Tensor) -> Tensor:
    """Index drawn from softmax(logits / temperature): [..., K], [...], [...] -> int64 [...]."""
    scaled = (logits - logits.amax(-1, keepdim=True)) / temperature.clamp(min=COLDEST)[..., None]
    cumulative = scaled.exp().cumsum(-1)
    below = cumulative <= (uniform * cumulative[..., -1])[..., None]
    return below.sum(-1).clamp(max=logits.shape[-1] - 1)


def make_head(config: HeadConfig, amplitude: float) -> Head:
    """The distribution that a config names."""
    match config:
        case MuLawHead():
            return MuLaw(config)
        case LogisticsHead():
            return Logistics(config, amplitude)
        case GaussianHead():
            return Gaussian(config, amplitude)
