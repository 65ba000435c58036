"""What every network here has in common: controls steer it, and a tone that they state is taken off what it draws.

Weights are immutable; what a stream remembers stands in a state of its own, never in the module.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor, nn

from ostinato.models.controls import FRAME, ONSET_TIMES_S, RELEASE_TIMES_S
from ostinato.models.excitation import harmonics
from ostinato.models.heads import Density, make_head
from ostinato.models.network import SteeredConfig
from ostinato.models.tone import Tone


def control_features(frames: Tensor) -> Tensor:
    """What the control network sees: frames [..., len(FRAME)] -> [..., len(FEATURES)]."""
    channel = dict(zip(FRAME, frames.unbind(-1), strict=True))
    pitch, gate = (channel["note"] - 69.0) / 12.0, channel["gate"]
    onsets = [torch.exp(-channel["since_onset"] / time) for time in ONSET_TIMES_S]
    releases = [(1 - gate) * torch.exp(-channel["since_release"] / time) for time in RELEASE_TIMES_S]
    return torch.stack((pitch, pitch * pitch, channel["velocity"], gate, *onsets, *releases), dim=-1)


@dataclass(frozen=True)
class Steering:
    """What the controls say of each hop [...]: the layers' condition, and the tone where there is one."""

    condition: Tensor | None  # [..., C]
    tone: Tone | None


class NetworkState(Protocol):
    """What the streams of a pool remember between samples; written in place."""

    @property
    def clock(self) -> Tensor:
        """int64 [slots]: samples since reset."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor by name, each with the slots first."""
        ...


def remember(kept: Tensor, active: Tensor, values: Tensor) -> None:
    """Write values [slots, ...] over what is kept, in place, of the slots that are active: bool [slots]."""
    kept.copy_(torch.where(active.view(-1, *[1] * (kept.dim() - 1)), values, kept))


class SteeredNetwork(nn.Module):
    """A control network, the tone that it states, and a distribution of what is drawn."""

    config: SteeredConfig

    def __init__(self, config: SteeredConfig) -> None:
        super().__init__()
        self.config = config
        self.distribution: Density = make_head(config.head, config.amplitude)
        self.local = _control_network(config)
        if config.global_:
            self.add_module("global", nn.Embedding(config.global_.entries, config.global_.channels))
        self.tone = None
        if config.tone and config.local:
            self.tone = nn.Linear(config.local.hidden[-1], 2 * config.tone.harmonics + 1)

    def steer(self, frames: Tensor) -> Steering:
        """Control frames [..., len(FRAME)] -> what they say of each hop."""
        instrument = None
        if self.config.global_:
            instrument = self.get_submodule("global")(frames[..., FRAME.index("instrument")].long())
        if self.local is None:
            return Steering(instrument, None)
        hidden = control_features(frames)
        if instrument is not None:
            hidden = torch.cat((hidden, instrument), dim=-1)
        *inner, last = self.local
        for layer in inner:
            hidden = layer(hidden).tanh()
        return Steering(last(hidden).tanh(), Tone.stated(self.tone(hidden)) if self.tone is not None else None)

    def waves(self, phase: Tensor, note: Tensor) -> Tensor:
        """Phase int64 [...], note [...] -> sines, then cosines, of every harmonic needed [..., 2 waves]."""
        return harmonics(phase, note, self.config.waves, self.config.sample_rate)

    def place(self, parameters: Tensor, tone: Tensor, log_scale: Tensor) -> Tensor:
        """Head parameters [..., P] of what is left -> of the sample, whose tone [...] and log-scale [...] are known."""
        count = parameters.shape[-1] // (3 if self.config.head.kind == "logistics" else 2)
        logits, means = parameters[..., : -2 * count], parameters[..., -2 * count : -count]
        log_scales = parameters[..., -count:]
        tone, log_scale = tone[..., None], log_scale[..., None]
        return torch.cat((logits, tone + log_scale.exp() * means, log_scale + log_scales), dim=-1)


def _control_network(config: SteeredConfig) -> nn.ModuleList | None:
    if config.local is None:
        return None
    widths = (config.control_channels, *config.local.hidden, config.local.channels)
    return nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
