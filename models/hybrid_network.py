"""A hybrid: latents drawn one after another, once a hop, and samples that are all decoded at once.

    p(x, z) = prod over hops f of p(z_f | z_<f, controls) p(x_f | z_<=f, controls)
    h_f = stack(z_<f, controls)    a gated causal stack, whose step is a hop
    z_f ~ N(rho z_{f-1} + m(h_f), s(h_f)^2),  0 < rho < 1
    x_f = tone moved by decoder(h_f, z_f) + filter of decoder(h_f, z_f) * white noise

The chain that waits for itself has a step a hop, not one a sample; given the latents no sample waits for another.
Prior and decoder share the stack, as in a variational recurrent network (Chung et al. 2015). What the stack adds to a
latent is bounded, for its gates are, and each remembers itself by less than 1: so no stream drifts away. A recording's
latents are the encoder's (`hybrid_encoder.py`); sampling has no use for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ostinato.models.hybrid_config import HybridConfig
from ostinato.models.hybrid_encoder import Encoder
from ostinato.models.parallel import Drawn, ParallelNetwork
from ostinato.models.shaped_noise import impulse_response, shaped
from ostinato.models.steered import Steering, remember
from ostinato.models.tone import Tone
from ostinato.models.wavenet import Layer, delayed, empty_rings, layer_conditions, run_layers, step_layers, through_head

NARROWEST: Final = -6.0  # natural log of a prior's deviation
WIDEST: Final = 2.0
MOST_GAIN: Final = 1.5  # nepers that a harmonic, or the noise, is raised above what is stated
LEAST_GAIN: Final = -8.0  # and lowered: a coloured noise's filter begins far below its power
MOST_CEPSTRUM: Final = 4.0  # of each coefficient


@dataclass(frozen=True)
class Decoded:
    """What latents make of a hop [...]: the tone as it is played, and the spectrum of the noise but for its gain."""

    tone: Tone
    cepstrum: Tensor  # [..., C]

    def filter(self, taps: int) -> Tensor:
        """The filter of the noise, of the tone's scale [..., taps]."""
        return impulse_response(self.cepstrum, taps) * self.tone.log_scale.exp()[..., None]


@dataclass(frozen=True)
class HybridState:
    """What the streams of a pool remember between hops; written in place."""

    rings: tuple[Tensor, ...]  # each [slots, length of layer, R], a row a hop
    latents: Tensor  # float32 [slots, D]: of the last hop
    filter: Tensor  # float32 [slots, taps]: at the last hop's end
    noise: Tensor  # float32 [slots, taps - 1]: the last of it
    clock: Tensor  # int64 [slots]: samples since reset

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor by name, each with the slots first."""
        own = {"clock": self.clock, "latents": self.latents, "filter": self.filter, "noise": self.noise}
        return own | {f"ring.{i}": ring for i, ring in enumerate(self.rings)}


class HybridNetwork(ParallelNetwork):
    """Samples from latents, and latents from those before."""

    config: HybridConfig

    def __init__(self, config: HybridConfig) -> None:
        super().__init__(config)
        d, v, context = config.latents, config.decoder_units, config.context_channels
        self.input = nn.Linear(d, config.residual_channels, bias=config.bias)
        self.layers = nn.ModuleList(Layer(config, i) for i in range(config.layers))
        self.head = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(config.head_widths))
        self.prior = nn.Linear(context, 2 * d)
        self.memory = nn.Parameter(torch.full((d,), 2.0))  # rho by its logit
        self.decoder = nn.ModuleDict({
            "hidden": nn.Linear(context + d, v),
            "output": nn.Linear(v + d, config.decoded_channels),
        })  # fmt: skip
        self.encoder = Encoder(config)

    def read_out(self, skip: Tensor) -> Tensor:
        """Skip sum [..., S] -> context [..., Z]."""
        return through_head(self.head, skip).relu()

    def contexts(self, before: Tensor, steering: Steering) -> Tensor:
        """Of every hop, from the latents of the hop before each [B, F, D]: [B, F, Z]."""
        return self.read_out(run_layers(self.layers, self.input(before), steering.condition, 1))

    def expected(self, context: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-deviation of latents, given those before [..., D]: [..., D] each."""
        mean, log_deviation = self.prior(context).chunk(2, dim=-1)
        return self.memory.sigmoid() * before + mean, log_deviation.clamp(NARROWEST, WIDEST)

    def decode(self, context: Tensor, latents: Tensor, tone: Tone) -> Decoded:
        """What a hop's latents [..., D] make of the tone that is stated for it."""
        hidden = self.decoder["hidden"](torch.cat((context, latents), dim=-1)).relu()
        moves = self.decoder["output"](torch.cat((hidden, latents), dim=-1))  # [..., 2 K + 1 + C]
        k = self.config.harmonics
        gains = moves[..., : 2 * k + 1].clamp(LEAST_GAIN, MOST_GAIN)
        moved = tone.moved(gains[..., :k], moves[..., k : 2 * k], gains[..., 2 * k])
        return Decoded(moved, moves[..., 2 * k + 1 :].clamp(-MOST_CEPSTRUM, MOST_CEPSTRUM))

    def narrow_prior(self, tensors: Mapping[str, NDArray[np.float32]], spread: float) -> None:
        """Multiply by `spread`, in place in a checkpoint, the deviation that latents are drawn with."""
        tensors["prior.bias"][self.config.latents :] += math.log(spread)

    def silence(self, slots: int, device: torch.device) -> HybridState:
        """The state of so many streams that have drawn nothing."""
        return HybridState(
            rings=empty_rings(self.config, slots, device),
            latents=torch.zeros(slots, self.config.latents, device=device),
            filter=torch.zeros(slots, self.config.taps, device=device),
            noise=torch.zeros(slots, self.config.taps - 1, device=device),
            clock=torch.zeros(slots, dtype=torch.int64, device=device),
        )

    def draw_hop(self, state: HybridState, active: Tensor, steering: Steering, noise: Tensor) -> Drawn:
        """The next hop of every slot: active bool [slots], noise [slots, hop + D]."""
        assert steering.tone is not None
        hop = self.config.hop
        context, latents = self.draw_latents(state, active, steering, noise[:, hop:])
        decoded = self.decode(context, latents, steering.tone)
        filter_ = decoded.filter(self.config.taps)
        white = torch.cat((state.noise, noise[:, :hop]), dim=1)
        left = shaped(white, state.filter, filter_) * torch.exp(-steering.tone.log_scale)[:, None]
        remember(state.filter, active, filter_)
        remember(state.noise, active, white[:, hop:])
        state.clock.add_(active * hop)
        return Drawn(decoded.tone.amplitudes, left)

    def draw_latents(
        self, state: HybridState, active: Tensor, steering: Steering, normals: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The next hop's context [slots, Z] and latents [slots, D], from normals [slots, D]; they are remembered."""
        conditions = layer_conditions(self.layers, steering.condition)
        step = state.clock // self.config.hop
        skip = step_layers(self.layers, state.rings, step, active, self.input(state.latents), conditions)
        context = self.read_out(skip)
        mean, log_deviation = self.expected(context, state.latents)
        latents = mean + log_deviation.exp() * normals
        remember(state.latents, active, latents)
        return context, latents

    def draw_whole(self, steering: Steering, noise: Tensor) -> Drawn:
        """Whole sequences from their beginning: steering [B, F, ...], noise [B, F (hop + D)].

        The latents one after another, then all samples of all hops at once.
        """
        assert steering.tone is not None
        config = self.config
        noise = noise.unflatten(1, (-1, config.hop + config.latents))  # type: ignore[no-untyped-call]
        latents = self.whole_latents(steering, noise[..., config.hop :])
        decoded = self.decode(self.contexts(delayed(latents, 1), steering), latents, steering.tone)
        filters = decoded.filter(config.taps)  # [B, F, taps]
        white = nn.functional.pad(noise[..., : config.hop].flatten(1), (config.taps - 1, 0))
        windows = white.unfold(1, config.taps - 1 + config.hop, config.hop)  # [B, F, taps - 1 + hop]
        left = shaped(windows, delayed(filters, 1), filters) * torch.exp(-steering.tone.log_scale)[..., None]
        return Drawn(decoded.tone.amplitudes, left.flatten(1))

    def whole_latents(self, steering: Steering, normals: Tensor) -> Tensor:
        """Latents of whole sequences, one hop after another: normals [B, F, D] -> [B, F, D]."""
        state = self.silence(len(normals), normals.device)
        everyone = torch.ones(len(normals), dtype=torch.bool, device=normals.device)
        drawn = []
        for f, normal in enumerate(normals.unbind(1)):
            condition = None if steering.condition is None else steering.condition[:, f]
            drawn.append(self.draw_latents(state, everyone, Steering(condition, None), normal)[1])
            state.clock.add_(self.config.hop)
        return torch.stack(drawn, dim=1)
