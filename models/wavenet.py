"""The causal dilated stack: one parallel forward for likelihood, one incremental step for sampling.

    z = W * h + V c + b          dilated causal convolution and conditioning
    a = tanh(z_filter) sigmoid(z_gate)
    skip += W_s a + b_s,   h += W_r a + b_r

(van den Oord et al. 2016, equations 2 and 3; cached step after Paine et al. 2016). Both paths read the same
immutable weights; what a stream remembers stands in a `WaveNetState`, never in the module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ostinato.models.autoregressive import AutoregressiveNetwork
from ostinato.models.config import StackConfig, WaveNetConfig
from ostinato.models.excitation import lowest
from ostinato.models.steered import Steering


class Layer(nn.Module):
    """One gated dilated layer. Its `residual` is None in the last layer, where nobody reads it."""

    def __init__(self, config: StackConfig, index: int) -> None:
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


def run_layers(layers: nn.ModuleList, hidden: Tensor, condition: Tensor | None, hop: int) -> Tensor:
    """Skip sums of a whole sequence: hidden [B, T, R], condition [B, T / hop, C] -> [B, T, S]."""
    total: Tensor = hidden.new_zeros(())
    for layer in layers:
        hidden, skip = layer(hidden, condition, hop)
        total = total + skip
    return total


def through_head(head: nn.ModuleList, skip: Tensor) -> Tensor:
    """Skip sum [..., S] through affine layers, each behind a rectifier."""
    for layer in head:
        skip = layer(skip.relu())
    return skip


def layer_conditions(layers: nn.ModuleList, condition: Tensor | None) -> list[Tensor] | None:
    """What each layer adds before its gate for one hop: condition [slots, C] -> L of [slots, 2R]."""
    if condition is None:
        return None
    return [layer.get_submodule("condition")(condition) for layer in layers]


def empty_rings(config: StackConfig, slots: int, device: torch.device) -> tuple[Tensor, ...]:
    """The past of each layer in silence: its last dilation * (kernel_size - 1) inputs, each [slots, length, R]."""
    r, reach = config.residual_channels, config.kernel_size - 1
    return tuple(torch.zeros(slots, d * reach, r, device=device) for d in config.dilations)


def step_layers(
    layers: nn.ModuleList,
    rings: Sequence[Tensor],
    clock: Tensor,
    active: Tensor,
    hidden: Tensor,
    conditions: list[Tensor] | None,
) -> Tensor:
    """One step of every slot: hidden [slots, R] -> skip sum [slots, S].

    Step `clock` (int64 [slots]) lies at clock mod a ring's length. Slots that are not active (bool [slots]) keep
    their rings.
    """
    rows = torch.arange(active.shape[0], device=active.device)
    total = hidden.new_zeros(())
    for i, (layer, ring) in enumerate(zip(cast("Sequence[Layer]", layers), rings, strict=True)):
        taps, length = layer.dilated.weight.unbind(-1), ring.shape[1]
        last = len(taps) - 1
        z = functional.linear(hidden, taps[last], layer.dilated.bias)
        for j, tap in enumerate(taps[:last]):
            z = z + functional.linear(ring[rows, (clock - (last - j) * layer.dilation) % length], tap)
        if conditions is not None:
            z = z + conditions[i]
        a = gate(z, dim=1)  # [slots, R]
        here = clock % length
        ring[rows, here] = torch.where(active[:, None], hidden, ring[rows, here])
        total = total + layer.skip(a)
        if layer.residual is not None:
            hidden = hidden + layer.residual(a)
    return total


@dataclass(frozen=True)
class WaveNetState:
    """What the streams of a pool remember between samples; written in place."""

    rings: tuple[Tensor, ...]  # each [slots, length of layer, R]
    clock: Tensor  # int64 [slots]: samples since reset

    @classmethod
    def empty(cls, config: WaveNetConfig, slots: int, device: torch.device) -> WaveNetState:
        """Silence in every slot."""
        return cls(empty_rings(config, slots, device), torch.zeros(slots, dtype=torch.int64, device=device))

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor by name, each with the slots first."""
        return {"clock": self.clock} | {f"ring.{i}": ring for i, ring in enumerate(self.rings)}


class WaveNet(AutoregressiveNetwork):
    """Head parameters of every sample given all before it, the controls and the phase."""

    config: WaveNetConfig

    def __init__(self, config: WaveNetConfig) -> None:
        super().__init__(config)
        r, widths = config.residual_channels, config.head_widths
        self.input = nn.Linear(config.input_channels, r, bias=config.bias)
        self.layers = nn.ModuleList(Layer(config, i) for i in range(config.layers))
        self.head = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))

    def inputs(self, previous: Tensor, waves: Tensor) -> Tensor:
        """Last sample less its tone, in its scale [...], waves [..., 2 waves] -> input channels [..., 1 + 2K]."""
        columns = previous[..., None]
        if self.config.excitation:
            columns = torch.cat((columns, lowest(waves, self.config.excitation.harmonics)), dim=-1)
        return columns

    def read_out(self, skip: Tensor) -> Tensor:
        """Skip sum [..., S] -> head parameters [..., P]."""
        return through_head(self.head, skip)

    def continuation(self, left: Tensor, waves: Tensor, steering: Steering) -> Tensor:
        """Head parameters of what the tone leaves: left [B, T], waves [B, T, 2 waves] -> [B, T, P]."""
        previous = functional.pad(left, (1, 0))[:, :-1]
        return self.read_out(self.stack(self.inputs(previous, waves), steering.condition, self.config.hop))

    def stack(self, inputs: Tensor, condition: Tensor | None, hop: int) -> Tensor:
        """Skip sums of a whole sequence: inputs [B, T, 1 + 2K], condition [B, T / hop, C] -> [B, T, S]."""
        return run_layers(self.layers, self.input(inputs), condition, hop)

    def lighten_past(self, tensors: Mapping[str, NDArray[np.float32]], weight: float) -> None:
        """The last sample's column of the input layer; the others are the excitation."""
        tensors["input.weight"][:, 0] *= weight

    def silence(self, slots: int, device: torch.device) -> WaveNetState:
        """The state of so many streams that have drawn nothing."""
        return WaveNetState.empty(self.config, slots, device)

    def begin_hop(
        self, state: WaveNetState, active: Tensor, previous: Tensor, steering: Steering
    ) -> list[Tensor] | None:
        """What each layer adds before its gate for one hop: L of [slots, 2R]."""
        del state, active, previous
        return self.layer_conditions(steering.condition)

    def layer_conditions(self, condition: Tensor | None) -> list[Tensor] | None:
        """What each layer adds before its gate for one hop: condition [slots, C] -> L of [slots, 2R]."""
        return layer_conditions(self.layers, condition)

    def step_sample(
        self,
        state: WaveNetState,
        active: Tensor,
        place: int,
        previous: Tensor,
        waves: Tensor,
        hop: list[Tensor] | None,
    ) -> Tensor:
        """Head parameters [slots, P] of the next sample, of whose place in the hop nothing depends."""
        del place
        return self.step(state, active, self.inputs(previous, waves), hop)

    def step(self, state: WaveNetState, active: Tensor, inputs: Tensor, conditions: list[Tensor] | None) -> Tensor:
        """One sample of every slot: active bool [slots], inputs [slots, 1 + 2K] -> head parameters [slots, P].

        Inactive slots keep their rings and clocks; their rows of the result mean nothing.
        """
        total = step_layers(self.layers, state.rings, state.clock, active, self.input(inputs), conditions)
        state.clock.add_(active)
        return self.read_out(total)
