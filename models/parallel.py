"""Networks that draw all samples of a hop at once, each from its own noise.

    x(t) = e(t) + s u(t),   u_f = g(noise_f, what is remembered of the hops before, controls)

No sample waits for the one before it: g is a function of noise that is known beforehand. So a hop, or a whole
recording, is drawn in one go (`draw_whole`), and a stream a hop at a time from a state (`draw_hop`), the same.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ostinato.models.controls import FRAME
from ostinato.models.steered import NetworkState, SteeredNetwork, Steering
from ostinato.models.tone import tone_samples


@dataclass(frozen=True)
class Drawn:
    """What a network makes of noise: for one hop of every slot [slots, ...], or for whole sequences [B, F, ...]."""

    amplitudes: Tensor | None  # [..., 2 K]: of the tone at the hop's end, as it is played; None without a tone
    left: Tensor  # [slots, hop] or [B, T]: what is added to the tone, in its scale


class ParallelNetwork(SteeredNetwork):
    """Samples of a hop, or of a whole sequence, from noise, the controls and the phase."""

    @abstractmethod
    def silence(self, slots: int, device: torch.device) -> NetworkState:
        """The state of so many streams that have drawn nothing."""

    @abstractmethod
    def draw_hop(self, state: Any, active: Tensor, steering: Steering, noise: Tensor) -> Drawn:  # noqa: ANN401 (its own)
        """The next hop of every slot: active bool [slots], noise [slots, hop] (standard, times the temperature).

        Writes the state of active slots, their clocks a hop on; inactive ones keep theirs, and their rows of the
        result mean nothing.
        """

    @abstractmethod
    def draw_whole(self, steering: Steering, noise: Tensor) -> Drawn:
        """Whole sequences from their beginning: steering [B, F, ...], noise [B, T]. The same, hop by hop."""

    def forward(self, frames: Tensor, phase: Tensor, noise: Tensor) -> Tensor:
        """Samples in the model's domain: frames [B, F, len(FRAME)], phase int64 [B, T], noise [B, T] -> [B, T]."""
        hop, steering = self.config.hop, self.steer(frames)
        drawn = self.draw_whole(steering, noise)
        if drawn.amplitudes is None or steering.tone is None:
            return drawn.left
        note = frames[..., FRAME.index("note"), None]  # [B, F, 1]
        waves = self.waves(phase.reshape(*frames.shape[:2], hop), note).flatten(1, 2)
        scale = steering.tone.log_scale.exp().repeat_interleave(hop, dim=1)
        return tone_samples(drawn.amplitudes, waves, hop) + scale * drawn.left


class DensityNetwork(ParallelNetwork):
    """One that also tells how likely given samples are: of a continuous signal, all of a hop at once."""

    @abstractmethod
    def given_hop(self, state: Any, active: Tensor, steering: Steering, left: Tensor) -> Tensor:  # noqa: ANN401 (its own)
        """Head parameters [slots, hop, P] of the next hop of every slot, in the tone's scale.

        Active bool [slots], left [slots, hop] (samples less their tone, in its scale). Writes the state as `draw_hop`
        does where it draws these samples.
        """

    @abstractmethod
    def given_whole(self, steering: Steering, left: Tensor) -> Tensor:
        """The same of whole sequences from their beginning: steering [B, F, ...], left [B, T] -> [B, T, P]."""

    def parameters_of(self, samples: Tensor, frames: Tensor, phase: Tensor) -> Tensor:
        """Head parameters of given sequences, silence before them: [B, T, P].

        samples [B, T] in the model's domain, frames [B, F, len(FRAME)], phase int64 [B, T]. Those of a sample depend on
        others of its hop and on hops before.
        """
        hop, steering = self.config.hop, self.steer(frames)
        if steering.tone is None:
            return self.given_whole(steering, samples)
        note = frames[..., FRAME.index("note"), None]  # [B, F, 1]
        waves = self.waves(phase.reshape(*frames.shape[:2], hop), note).flatten(1, 2)
        tone = tone_samples(steering.tone.amplitudes, waves, hop)
        log_scale = steering.tone.log_scale.repeat_interleave(hop, dim=1)
        left = (samples - tone) * torch.exp(-log_scale)
        return self.place(self.given_whole(steering, left), tone, log_scale)


def logit(uniforms: Tensor) -> Tensor:
    """The inverse of the standard logistic distribution: (0, 1) -> [...], of mean 0 and scale 1."""
    return uniforms.log() - (1 - uniforms).log()


def standard_normal(uniforms: Tensor) -> Tensor:
    """Box and Muller: uniforms [..., 2] in (0, 1) -> [...], of mean 0 and variance 1."""
    return (-2 * uniforms[..., 0].log()).sqrt() * torch.cos(2 * math.pi * uniforms[..., 1])
