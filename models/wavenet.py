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
from ostinato.models.controls import FEATURES, FRAME, ONSET_RATE, RELEASE_RATE
from ostinato.models.excitation import harmonics
from ostinato.models.heads import make_head


def control_features(frames: Tensor) -> Tensor:
    """What the control network sees: frames [..., len(FRAME)] -> [..., len(FEATURES)]."""
    channel = dict(zip(FRAME, frames.unbind(-1), strict=True))
    pitch, gate = (channel["note"] - 69.0) / 12.0, channel["gate"]
    onset = torch.exp(-ONSET_RATE * channel["since_onset"])
    release = (1 - gate) * torch.exp(-RELEASE_RATE * channel["since_release"])
    return torch.stack((pitch, pitch * pitch, channel["velocity"], gate, onset, release), dim=-1)


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
        """Hidden [B, R, T], condition [B, T / hop, C] -> next hidden [B, R, T], skip [B, S, T]."""
        reach = self.dilation * (self.dilated.kernel_size[0] - 1)
        z = self.dilated(functional.pad(hidden, (reach, 0)))  # [B, 2R, T]
        if self.condition is not None and condition is not None:
            z = z + self.condition(condition).repeat_interleave(hop, dim=1).transpose(1, 2)
        a = gate(z, dim=1)  # [B, R, T]
        skip = functional.conv1d(a, self.skip.weight[..., None], self.skip.bias)
        if self.residual is not None:
            hidden = hidden + functional.conv1d(a, self.residual.weight[..., None], self.residual.bias)
        return hidden, skip


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
    """Head parameters of every sample given all before it, the controls and the excitation's phase."""

    def __init__(self, config: WaveNetConfig) -> None:
        super().__init__()
        self.config = config
        self.distribution = make_head(config.head, config.amplitude)
        r, widths = config.residual_channels, config.head_widths
        self.local = _control_network(config)
        if config.global_:
            self.add_module("global", nn.Embedding(config.global_.entries, config.global_.channels))
        self.input = nn.Linear(config.input_channels, r, bias=config.bias)
        self.layers = nn.ModuleList(Layer(config, i) for i in range(config.layers))
        self.head = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))

    def conditioning(self, frames: Tensor) -> Tensor | None:
        """Control frames [..., len(FRAME)] -> what every layer is conditioned on [..., C]; None without any."""
        parts = []
        if self.local is not None:
            parts.append(self.local(control_features(frames)))
        if self.config.global_:
            parts.append(self.get_submodule("global")(frames[..., FRAME.index("instrument")].long()))
        return torch.cat(parts, dim=-1) if parts else None

    def inputs(self, previous: Tensor, phase: Tensor, note: Tensor) -> Tensor:
        """Last sample [...], phase int64 [...], note [...] -> input channels [..., 1 + 2K]."""
        columns = previous[..., None]
        if self.config.excitation:
            wave = harmonics(phase, note, self.config.excitation.harmonics, self.config.sample_rate)
            columns = torch.cat((columns, wave), dim=-1)
        return columns

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
        previous = functional.pad(samples, (1, 0))[:, :-1]
        note = frames[..., FRAME.index("note")].repeat_interleave(hop, dim=1)
        inputs = self.inputs(previous, phase, note)
        return self.read_out(self.stack(inputs, self.conditioning(frames), hop))

    def stack(self, inputs: Tensor, condition: Tensor | None, hop: int) -> Tensor:
        """Skip sums of a whole sequence: inputs [B, T, 1 + 2K], condition [B, T / hop, C] -> [B, T, S]."""
        hidden: Tensor = self.input(inputs).transpose(1, 2)  # [B, R, T]
        total: Tensor = hidden.new_zeros(())
        for layer in self.layers:
            hidden, skip = layer(hidden, condition, hop)
            total = total + skip
        return total.transpose(1, 2)

    def layer_conditions(self, frames: Tensor) -> list[Tensor] | None:
        """What each layer adds before its gate for one hop: frames [slots, len(FRAME)] -> L of [slots, 2R]."""
        condition = self.conditioning(frames)
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


def _control_network(config: WaveNetConfig) -> nn.Module | None:
    if config.local is None:
        return None
    first = nn.Linear(len(FEATURES), config.local.hidden)
    second = nn.Linear(config.local.hidden, config.local.channels)
    return _TanhNetwork(first, second)


class _TanhNetwork(nn.Sequential):
    def forward(self, features: Tensor) -> Tensor:
        for layer in self:
            features = layer(features).tanh()
        return features
