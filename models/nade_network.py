"""A NADE over frames of audio: of each hop its samples one after another, all from one hidden activation.

    z_f = (stack(u_{<f}, controls), u_{f-1})    a gated causal stack, whose step is a frame, and the last frame itself
    a_1 = c + U z_f,  a_{i+1} = a_i + W_{.,i} u_i
    h_i = sigmoid(a_i + E e_i),  parameters of u_i = V_i h_i + b_i

u_f = (u_1 .. u_n) is what the tone leaves of a frame, in its scale; e_i the excitation of its own sample, known
beforehand. So the past before the frame is read once for n samples, and a sample of it costs only its conditional
(`nade.py`), where a WaveNet runs its whole stack for each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ostinato.models.autoregressive import AutoregressiveNetwork
from ostinato.models.config import NadeConfig
from ostinato.models.excitation import lowest
from ostinato.models.nade import Nade, at_once
from ostinato.models.steered import Steering, remember
from ostinato.models.wavenet import Layer, delayed, empty_rings, layer_conditions, run_layers, step_layers, through_head


@dataclass(frozen=True)
class NadeState:
    """What the streams of a pool remember between samples; written in place."""

    rings: tuple[Tensor, ...]  # each [slots, length of layer, R], a row a frame
    frame: Tensor  # float32 [slots, hop]: what was drawn of this hop so far, and of the last one from there on
    clock: Tensor  # int64 [slots]: samples since reset

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor by name, each with the slots first."""
        return {"clock": self.clock, "frame": self.frame} | {f"ring.{i}": ring for i, ring in enumerate(self.rings)}


@dataclass
class Running:
    """The running activation of the hop that is being drawn."""

    activation: Tensor  # [slots, d]


class NadeNetwork(AutoregressiveNetwork):
    """Head parameters of every sample given all before it, the controls and the phase."""

    config: NadeConfig

    def __init__(self, config: NadeConfig) -> None:
        super().__init__(config)
        widths = config.head_widths
        self.input = nn.Linear(config.hop, config.residual_channels, bias=config.bias)
        self.layers = nn.ModuleList(Layer(config, i) for i in range(config.layers))
        self.head = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.nade = Nade(
            config.hop, config.units, config.head.parameters, config.context_channels, config.known_channels
        )

    def known(self, waves: Tensor) -> Tensor | None:
        """Waves [..., 2 waves] -> what a sample's conditional sees of its own time [..., 2K]."""
        return lowest(waves, self.config.excitation.harmonics) if self.config.excitation else None

    def read_out(self, skip: Tensor, before: Tensor) -> Tensor:
        """Skip sum [..., S] and the frame before [..., n] -> the NADE's context [..., Z]."""
        return torch.cat((through_head(self.head, skip).relu(), before), dim=-1)

    def continuation(self, left: Tensor, waves: Tensor, steering: Steering) -> Tensor:
        """Head parameters of what the tone leaves: left [B, T], waves [B, T, 2 waves] -> [B, T, P]."""
        frames = left.unflatten(1, (-1, self.config.hop))  # type: ignore[no-untyped-call]
        before = delayed(frames, 1)  # [B, F, n]
        context = self.read_out(run_layers(self.layers, self.input(before), steering.condition, 1), before)
        known = self.known(waves)
        if known is not None:
            known = known.unflatten(1, (-1, self.config.hop))  # type: ignore[no-untyped-call]
        return at_once(self.nade, frames, context, known).flatten(1, 2)

    def lighten_past(self, tensors: Mapping[str, NDArray[np.float32]], weight: float) -> None:
        """The frames before, and the samples before in a frame."""
        for name in ("input.weight", "nade.weight"):
            tensors[name][...] *= weight
        tensors["nade.context.weight"][:, -self.config.hop :] *= weight

    def silence(self, slots: int, device: torch.device) -> NadeState:
        """The state of so many streams that have drawn nothing."""
        return NadeState(
            rings=empty_rings(self.config, slots, device),
            frame=torch.zeros(slots, self.config.hop, device=device),
            clock=torch.zeros(slots, dtype=torch.int64, device=device),
        )

    def begin_hop(self, state: NadeState, active: Tensor, previous: Tensor, steering: Steering) -> Running:
        """The activation that a hop begins with, from the frames before; previous [slots] ends the last of them."""
        remember(state.frame[:, -1], active, previous)
        conditions = layer_conditions(self.layers, steering.condition)
        step = state.clock // self.config.hop
        skip = step_layers(self.layers, state.rings, step, active, self.input(state.frame), conditions)
        return Running(self.nade.begin(self.read_out(skip, state.frame)))

    def step_sample(
        self, state: NadeState, active: Tensor, place: int, previous: Tensor, waves: Tensor, hop: Running
    ) -> Tensor:
        """Head parameters [slots, P] of the sample at `place` in its hop, the one before it taken into the activation.

        Active bool [slots], previous [slots], waves [slots, 2 waves]. Inactive slots keep their state.
        """
        if place:
            remember(state.frame[:, place - 1], active, previous)
            hop.activation = self.nade.add(hop.activation, place - 1, previous)
        state.clock.add_(active)
        return self.nade.conditional(hop.activation, place, self.known(waves))
