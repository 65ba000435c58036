"""The causal dilated stack: one parallel forward for likelihood, one incremental step for sampling.

    z = W * h + V c + b          dilated causal convolution and conditioning
    a = tanh(z_filter) sigmoid(z_gate)
    skip += W_s a + b_s,   h += W_r a + b_r

(van den Oord et al. 2016, equations 2 and 3; cached step after Paine et al. 2016). Both paths read the same
immutable weights; what a stream remembers stands in a `WaveNetState`, never in the module.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from ostinato.models.config import WaveNetConfig
from ostinato.models.controls import FRAME, ONSET_TIMES_S, RELEASE_TIMES_S
from ostinato.models.excitation import harmonics, lowest
from ostinato.models.heads import make_head
from ostinato.models.tone import Tone, tone_samples


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


class Layer(nn.Module):
    """One gated dilated layer. Its `residual` is None in the last layer, where nobody reads it."""

    def __init__(self, config: WaveNetConfig, index: int) -> None:
        super().__init__()
        r = config.residual_channels
        self.dilation = config.dilations[index]
        self.dilated = nn.Conv1d(r, 2 * r, config.kernel_size, dilation=self.dilation, bias=config.bias)
        self.condition = nn.Linear(config.condition_channels, 2 * r, bias=False) if config.condition_channels else None
        self.skip = nn.Linear(r, config.skip_channels, bias=config.bias)
        self.residual = nn.Linear(r, r, bias=config.bias) if index + 1 < config.layers else None

    def forward(self, hidden: Tensor, condition: Tensor | None, hop: int) -> tuple[Tensor, Tensor]:
        """Hidden [B, T, R], condition [B, T / hop, C] -> next hidden [B, T, R], skip [B, T, S].

        Time before channels, one product a tap: on CPU and GPU alike faster than a convolution of so few channels.
        """
        *past, current = self.dilated.weight.unbind(-1)
        z = functional.linear(hidden, current, self.dilated.bias)  # [B, T, 2R]
        for i, tap in enumerate(past):
            z = z + functional.linear(delayed(hidden, self.dilation * (len(past) - i)), tap)
        if self.condition is not None and condition is not None:
            z = (z.unflatten(1, (-1, hop)) + self.condition(condition)[:, :, None]).flatten(1, 2)  # type: ignore[no-untyped-call]
        a = gate(z, dim=-1)  # [B, T, R]
        if self.residual is not None:
            hidden = hidden + self.residual(a)
        return hidden, self.skip(a)


def delayed(hidden: Tensor, samples: int) -> Tensor:
    """Hidden [B, T, R] as it was `samples` before, silence before the start."""
    return functional.pad(hidden, (0, 0, samples, 0))[:, : hidden.shape[1]]


def gate(z: Tensor, dim: int) -> Tensor:
    """Tanh of the first half of `dim` times sigmoid of the second."""
    filter_, gate_ = z.chunk(2, dim)
    return filter_.tanh() * gate_.sigmoid()


@dataclass(frozen=True)
class WaveNetState:
    """What the streams of a pool remember between samples; written in place.

    Layer l's ring holds its last dilation * (kernel_size - 1) inputs; sample t lies at t mod its length.
    """

    rings: tuple[Tensor, ...]  # each [slots, length of layer, R]
    clock: Tensor  # int64 [slots]: samples since reset

    @classmethod
    def empty(cls, config: WaveNetConfig, slots: int, device: torch.device) -> WaveNetState:
        """Silence in every slot."""
        r, reach = config.residual_channels, config.kernel_size - 1
        rings = tuple(torch.zeros(slots, d * reach, r, device=device) for d in config.dilations)
        return cls(rings, torch.zeros(slots, dtype=torch.int64, device=device))


class WaveNet(nn.Module):
    """Head parameters of every sample given all before it, the controls and the phase."""

    def __init__(self, config: WaveNetConfig) -> None:
        super().__init__()
        self.config = config
        self.distribution = make_head(config.head, config.amplitude)
        r, widths = config.residual_channels, config.head_widths
        self.local = _control_network(config)
        if config.global_:
            self.add_module("global", nn.Embedding(config.global_.entries, config.global_.channels))
        self.tone = None
        if config.tone and config.local:
            self.tone = nn.Linear(config.local.hidden[-1], 2 * config.tone.harmonics + 1)
        self.input = nn.Linear(config.input_channels, r, bias=config.bias)
        self.layers = nn.ModuleList(Layer(config, i) for i in range(config.layers))
        self.head = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))

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

    def inputs(self, previous: Tensor, waves: Tensor) -> Tensor:
        """Last sample less its tone, in its scale [...], waves [..., 2 waves] -> input channels [..., 1 + 2K]."""
        columns = previous[..., None]
        if self.config.excitation:
            columns = torch.cat((columns, lowest(waves, self.config.excitation.harmonics)), dim=-1)
        return columns

    def place(self, parameters: Tensor, tone: Tensor, log_scale: Tensor) -> Tensor:
        """Head parameters [..., P] of what is left -> of the sample, whose tone [...] and log-scale [...] are known."""
        count = parameters.shape[-1] // (3 if self.config.head.kind == "logistics" else 2)
        logits, means = parameters[..., : -2 * count], parameters[..., -2 * count : -count]
        log_scales = parameters[..., -count:]
        tone, log_scale = tone[..., None], log_scale[..., None]
        return torch.cat((logits, tone + log_scale.exp() * means, log_scale + log_scales), dim=-1)

    def read_out(self, skip: Tensor) -> Tensor:
        """Skip sum [..., S] -> head parameters [..., P]."""
        for layer in self.head:
            skip = layer(skip.relu())
        return skip

    def forward(self, samples: Tensor, frames: Tensor, phase: Tensor) -> Tensor:
        """Teacher-forced head parameters of a whole sequence, silence before it.

        samples [B, T] in the model's domain (pre-emphasised where it is), frames [B, T / hop, len(FRAME)],
        phase int64 [B, T] -> [B, T, P]; row t depends on samples before t alone.
        """
        hop = self.config.hop
        steering = self.steer(frames)
        note = frames[..., FRAME.index("note"), None]  # [B, F, 1]
        waves = self.waves(phase.reshape(*frames.shape[:2], hop), note).flatten(1, 2)
        if steering.tone is None:
            return self.continuation(samples, waves, steering)
        tone = tone_samples(steering.tone.amplitudes, waves, hop)
        log_scale = steering.tone.log_scale.repeat_interleave(hop, dim=1)
        left = (samples - tone) * torch.exp(-log_scale)
        return self.place(self.continuation(left, waves, steering), tone, log_scale)

    def continuation(self, left: Tensor, waves: Tensor, steering: Steering) -> Tensor:
        """Head parameters of what the tone leaves: left [B, T], waves [B, T, 2 waves] -> [B, T, P]."""
        previous = functional.pad(left, (1, 0))[:, :-1]
        return self.read_out(self.stack(self.inputs(previous, waves), steering.condition, self.config.hop))

    def stack(self, inputs: Tensor, condition: Tensor | None, hop: int) -> Tensor:
        """Skip sums of a whole sequence: inputs [B, T, 1 + 2K], condition [B, T / hop, C] -> [B, T, S]."""
        hidden: Tensor = self.input(inputs)  # [B, T, R]
        total: Tensor = hidden.new_zeros(())
        for layer in self.layers:
            hidden, skip = layer(hidden, condition, hop)
            total = total + skip
        return total

    def layer_conditions(self, condition: Tensor | None) -> list[Tensor] | None:
        """What each layer adds before its gate for one hop: condition [slots, C] -> L of [slots, 2R]."""
        if condition is None:
            return None
        return [layer.get_submodule("condition")(condition) for layer in self.layers]

    def step(self, state: WaveNetState, active: Tensor, inputs: Tensor, conditions: list[Tensor] | None) -> Tensor:
        """One sample of every slot: active bool [slots], inputs [slots, 1 + 2K] -> head parameters [slots, P].

        Inactive slots keep their rings and clocks; their rows of the result mean nothing.
        """
        rows = torch.arange(active.shape[0], device=active.device)
        hidden = self.input(inputs)  # [slots, R]
        total = torch.zeros(active.shape[0], self.config.skip_channels, device=active.device)
        for i, layer in enumerate(self.layers):
            assert isinstance(layer, Layer)
            ring, taps = state.rings[i], layer.dilated.weight.unbind(-1)
            length, last = ring.shape[1], len(taps) - 1
            z = functional.linear(hidden, taps[last], layer.dilated.bias)
            for j, tap in enumerate(taps[:last]):
                z = z + functional.linear(ring[rows, (state.clock - (last - j) * layer.dilation) % length], tap)
            if conditions is not None:
                z = z + conditions[i]
            a = gate(z, dim=1)  # [slots, R]
            here = state.clock % length
            ring[rows, here] = torch.where(active[:, None], hidden, ring[rows, here])
            total = total + layer.skip(a)
            if layer.residual is not None:
                hidden = hidden + layer.residual(a)
        state.clock.add_(active)
        return self.read_out(total)


def _control_network(config: WaveNetConfig) -> nn.ModuleList | None:
    if config.local is None:
        return None
    widths = (config.control_channels, *config.local.hidden, config.local.channels)
    return nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
