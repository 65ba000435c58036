"""A flow over frames: noise becomes samples, and samples noise, both in a few products over all frames at once.

    z_f = (g_K . ... . g_1)(u_f; u_{<f}, controls),    log q(u) = sum of log N(z) - sum of all s

u_f = (u_1 .. u_n) is what the tone leaves of a frame, in its scale; each g is a coupling (`coupling.py`). RealNVP (Dinh
et al. 2017), causal across frames. Samples are drawn by going back from z_f; no sample waits for another, nor a frame
for another. What a coupling remembers of the frames before is the half that it reads.

Of each place of a frame all couplings together make one affine map of its noise, u_i = m_i + exp(l_i) z_i, where m_i
and l_i depend on other places and on frames before. These are its head parameters: their log probabilities add up to
that of the frame. It is of a continuous signal, so that what lies on 16-bit levels is first spread over them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ostinato.models.config import FlowConfig
from ostinato.models.coupling import Coupling, taps_of
from ostinato.models.heads import STEP
from ostinato.models.parallel import DensityNetwork, Drawn
from ostinato.models.steered import Steering, remember


@dataclass(frozen=True)
class FlowState:
    """What the streams of a pool remember between hops; written in place."""

    past: tuple[Tensor, ...]  # of each coupling [slots, n / 2, kernel - 1]: what it read of the frames before
    clock: Tensor  # int64 [slots]: samples since reset

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor by name, each with the slots first."""
        return {"clock": self.clock} | {f"past.{k}": past for k, past in enumerate(self.past)}


@dataclass(frozen=True)
class ContinuousLogistic:
    """A logistic density, for what has no levels; parameters as of a mixture of one."""

    def log_prob(self, parameters: Tensor, samples: Tensor) -> Tensor:
        """Natural log of the density times the width of a 16-bit level: [..., 3], [...] -> [...]."""
        mean, log_scale = parameters[..., 1], parameters[..., 2]
        standard = (samples - mean) * torch.exp(-log_scale)
        return -standard - log_scale - 2 * nn.functional.softplus(-standard) + math.log(STEP)


class FlowNetwork(DensityNetwork):
    """Samples from noise, and the density of samples."""

    config: FlowConfig

    def __init__(self, config: FlowConfig) -> None:
        super().__init__(config)
        self.couplings = nn.ModuleList(Coupling(config, split) for split in config.splits)
        if config.head.kind == "logistics":
            self.distribution = ContinuousLogistic()

    def silence(self, slots: int, device: torch.device) -> FlowState:
        """The state of so many streams that have drawn nothing."""
        shape = slots, self.config.half, self.config.kernel_size - 1
        past = tuple(torch.zeros(shape, device=device) for _ in self.couplings)
        return FlowState(past, torch.zeros(slots, dtype=torch.int64, device=device))

    def draw_whole(self, steering: Steering, noise: Tensor) -> Drawn:
        """Whole sequences from their beginning: steering [B, F, ...], noise [B, T]."""
        frames = noise.unflatten(1, (-1, self.config.hop))  # type: ignore[no-untyped-call]
        for coupling in reversed(self._couplings):
            read, moved = coupling.halves(frames)
            shift, log_scale = coupling.affine(taps_of(read, self.config.kernel_size), steering.condition)
            frames = coupling.joined(read, moved * log_scale.exp() + shift)
        return Drawn(steering.tone.amplitudes if steering.tone else None, frames.flatten(1))

    def draw_hop(self, state: FlowState, active: Tensor, steering: Steering, noise: Tensor) -> Drawn:
        """The next hop of every slot: active bool [slots], noise [slots, hop]. Writes the state of active slots."""
        frame = noise
        for coupling, past in zip(reversed(self._couplings), reversed(state.past), strict=True):
            read, moved = coupling.halves(frame)
            shift, log_scale = coupling.affine(keep(past, active, read), steering.condition)
            frame = coupling.joined(read, moved * log_scale.exp() + shift)
        state.clock.add_(active * self.config.hop)
        return Drawn(steering.tone.amplitudes if steering.tone else None, frame)

    def given_whole(self, steering: Steering, left: Tensor) -> Tensor:
        """Head parameters of what the tone leaves: steering [B, F, ...], left [B, T] -> [B, T, P]."""
        frames = left.unflatten(1, (-1, self.config.hop))  # type: ignore[no-untyped-call]
        total = Affine.identity(frames)
        for coupling in self._couplings:
            read, _ = coupling.halves(total.noise)
            total = total.then(coupling, *coupling.affine(taps_of(read, self.config.kernel_size), steering.condition))
        return self._as_head(total).flatten(1, 2)

    def given_hop(self, state: FlowState, active: Tensor, steering: Steering, left: Tensor) -> Tensor:
        """The same of the next hop of every slot: left [slots, hop] -> [slots, hop, P]. Writes as `draw_hop` does."""
        total = Affine.identity(left)
        for coupling, past in zip(self._couplings, state.past, strict=True):
            read, _ = coupling.halves(total.noise)
            total = total.then(coupling, *coupling.affine(keep(past, active, read), steering.condition))
        state.clock.add_(active * self.config.hop)
        return self._as_head(total)

    def _as_head(self, total: Affine) -> Tensor:
        """As the head has them, the log-scales last."""
        both = torch.stack((total.shift, total.log_scale), dim=-1)
        return nn.functional.pad(both, (self.config.head.parameters - 2, 0))  # a mixture of one has a logit

    @property
    def _couplings(self) -> list[Coupling]:
        return [coupling for coupling in self.couplings if isinstance(coupling, Coupling)]


@dataclass(frozen=True)
class Affine:
    """What the couplings so far make of frames [..., n]: frames = shift + exp(log_scale) noise, place by place."""

    noise: Tensor
    shift: Tensor
    log_scale: Tensor

    @classmethod
    def identity(cls, frames: Tensor) -> Affine:
        """No coupling yet."""
        return cls(frames, torch.zeros_like(frames), torch.zeros_like(frames))

    def then(self, coupling: Coupling, shift: Tensor, log_scale: Tensor) -> Affine:
        """One coupling more, whose shift and log-scale of the half that it moves are given."""
        read, moved = coupling.halves(self.noise)
        nothing = torch.zeros_like(read)
        t, s = coupling.joined(nothing, shift), coupling.joined(nothing, log_scale)
        noise = coupling.joined(read, (moved - shift) * torch.exp(-log_scale))
        return Affine(noise, self.shift + self.log_scale.exp() * t, self.log_scale + s)


def keep(past: Tensor, active: Tensor, read: Tensor) -> Tensor:
    """What was read of the frames before and of this one [slots, n / 2, kernel]; of active slots it is remembered."""
    taps = torch.cat((past, read[..., None]), dim=-1)
    remember(past, active, taps[..., 1:])
    return taps
