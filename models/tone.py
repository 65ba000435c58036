"""The tone: the part of a sample that controls and phase alone decide, and the scale of what is left to draw.

    e(t) = sum over k of exp(l_k) cos(k phi(t) + theta_k)
    x(t) = e(t) + s u(t)

A control network states levels l, phases theta and the scale s once a hop; what draws u, whose size is about one
whatever is played, is each strategy's own. So what repeats with every turn of the phase need not be guessed from the
past, where each guess would be heard by the next. Harmonics plus a residual after Serra and Smith 1990 and Engel et al.
2020. All in the model's own domain (pre-emphasised where it is).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from ostinato.models.excitation import lowest

LOUDEST: Final = 0.7  # natural log of a harmonic's greatest amplitude, about the 2 that a pre-emphasised sample can be
QUIETEST_SCALE: Final = -12.0  # natural log; a fifth of a 16-bit level
WIDEST_SCALE: Final = -2.3  # natural log; -20 dB, louder than any recording leaves


@dataclass(frozen=True)
class Tone:
    """What is stated for each hop [...]."""

    log_levels: Tensor  # [..., K]: natural log of each harmonic's amplitude
    phases: Tensor  # [..., K], radians
    log_scale: Tensor  # [...]: natural log of s

    @classmethod
    def stated(cls, outputs: Tensor) -> Tone:
        """From the control network: log-levels, phases, log-scale, together [..., 2 K + 1]."""
        count = outputs.shape[-1] // 2
        log_levels, phases = _held(outputs[..., :count], -math.inf, LOUDEST), outputs[..., count : 2 * count]
        return cls(log_levels, phases, _held(outputs[..., -1], QUIETEST_SCALE, WIDEST_SCALE))

    def moved(self, log_gains: Tensor, turns: Tensor, log_gain: Tensor) -> Tone:
        """Levels, phases (radians) and scale moved by so much [..., K], [..., K], [...], within the same bounds."""
        log_levels = _held(self.log_levels + log_gains, -math.inf, LOUDEST)
        return Tone(log_levels, self.phases + turns, _held(self.log_scale + log_gain, QUIETEST_SCALE, WIDEST_SCALE))

    @property
    def amplitudes(self) -> Tensor:
        """Of sin(k phi), k = 1..K, then of cos(k phi): [..., 2 K]."""
        levels = self.log_levels.exp()
        return torch.cat((-levels * self.phases.sin(), levels * self.phases.cos()), dim=-1)


def tone_samples(amplitudes: Tensor, waves: Tensor, hop: int) -> Tensor:
    """The tone of whole sequences: amplitudes [B, F, 2 K] per hop, waves [B, T, 2 waves] -> [B, T].

    Amplitudes glide over each hop from those of the hop before, from 0 in the first.
    """
    batch, count, _ = amplitudes.shape
    before = torch.nn.functional.pad(amplitudes, (0, 0, 1, 0))[:, :-1]
    return tone_between(before, amplitudes, waves.reshape(batch, count, hop, -1)).flatten(1, 2)


def tone_between(before: Tensor, amplitudes: Tensor, waves: Tensor) -> Tensor:
    """The tone of a hop: amplitudes at its two ends [..., 2 K], waves [..., hop, 2 waves] -> [..., hop]."""
    ends = torch.stack((before, amplitudes), dim=-1)  # [..., 2 K, 2]
    both = lowest(waves, amplitudes.shape[-1] // 2).to(ends.dtype) @ ends  # [..., hop, 2]
    there = glide(waves.shape[-2], waves.device)
    return both[..., 0] * (1 - there) + both[..., 1] * there


def gliding_tone(before: Tensor, amplitudes: Tensor, waves: Tensor, there: float) -> Tensor:
    """The tone of one sample of a hop: amplitudes before and now [..., 2 K], waves [..., 2 waves] -> [...]."""
    waves = lowest(waves, amplitudes.shape[-1] // 2)
    return (before * waves).sum(-1) * (1 - there) + (amplitudes * waves).sum(-1) * there


def glide(hop: int, device: torch.device) -> Tensor:
    """How far each sample of a hop is from the last hop's amplitudes to its own: [hop], ends at 1."""
    return (torch.arange(hop, device=device) + 1) / hop


def _held(values: Tensor, low: float, high: float) -> Tensor:
    """Values within a range; the gradient passes as if there were none, so that what lies outside finds back."""
    return values + (values.clamp(low, high) - values).detach()
