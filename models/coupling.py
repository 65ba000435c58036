"""An affine coupling over frames: half of a frame's places are moved and scaled by what the other half says.

    b' = (b - t) exp(-s)          from samples to noise
    b  = b' exp(s) + t            and back

    h = tanh(F a + f c) sigmoid(G a + g c),    t = D a + V ((1 + k c) (L a)) + T h,    s = S h + l c

a is the half that is read, in this frame and in those before it; c is the hop's condition. a itself passes unchanged,
so t and s are the same in both directions, and neither has to wait for anything within a frame or across frames (Dinh
et al. 2017, section 3.2). Of t the part D is linear, and so is V for any one condition: couplings by all bits of a
sample's place in turn, with a t that is linear, whiten any Gaussian frame, as a block Cholesky factorisation does. h
and c lie within 1, so that s is bounded, and no noise can run away: nothing is fed back.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ostinato.models.flow_config import FlowConfig, Split


class Coupling(nn.Module):
    """Shift and log-scale of the half that one coupling moves."""

    def __init__(self, config: FlowConfig, split: Split) -> None:
        super().__init__()
        self.config, self.split = config, split
        half, reach = config.half, config.kernel_size
        self.gate = Taps(half, 2 * config.units, reach, bias=True)
        self.lines = Taps(half, config.lines, reach, bias=False)
        self.direct = Taps(half, half, reach, bias=False)
        self.shift = nn.Linear(config.lines, half, bias=False)
        self.output = nn.Linear(config.units, config.hop)
        self.condition = None
        if config.condition_channels:
            stated = 2 * config.units + config.lines + half
            self.condition = nn.Linear(config.condition_channels, stated, bias=False)

    def halves(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Frames [..., n] -> the half that is read, the half that is moved, each [..., n / 2]."""
        block = 1 << self.split.bit
        clear, set_ = frames.unflatten(-1, (-1, 2, block)).unbind(-2)  # type: ignore[no-untyped-call]
        both = clear.flatten(-2), set_.flatten(-2)
        return both if self.split.moves_set else (both[1], both[0])

    def joined(self, read: Tensor, moved: Tensor) -> Tensor:
        """The inverse of `halves`."""
        block = 1 << self.split.bit
        both = (read, moved) if self.split.moves_set else (moved, read)
        return torch.stack([h.unflatten(-1, (-1, block)) for h in both], dim=-2).flatten(-3)  # type: ignore[no-untyped-call]

    def affine(self, taps: Tensor, condition: Tensor | None) -> tuple[Tensor, Tensor]:
        """Shift t and log-scale s [..., n / 2], from what is read: taps [..., n / 2, kernel], condition [..., C]."""
        gate, lines = self.gate(taps), self.lines(taps)
        units, count = self.config.units, self.config.lines
        stated: Tensor | None = None
        if self.condition is not None:
            stated = self.condition(condition)
            gate = gate + stated[..., : 2 * units]
            lines = lines * (1 + stated[..., 2 * units : 2 * units + count])
        hidden = gate[..., :units].tanh() * gate[..., units:].sigmoid()
        shift, log_scale = self.output(hidden).chunk(2, dim=-1)
        shift = shift + self.direct(taps) + self.shift(lines)
        return shift, log_scale if stated is None else log_scale + stated[..., 2 * units + count :]


class Taps(nn.Module):
    """A product with the frames that a coupling sees, oldest first: [..., inputs, kernel] -> [..., outputs]."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, bias: bool) -> None:
        super().__init__()
        bound = (inputs * kernel) ** -0.5
        self.weight = nn.Parameter(torch.empty(outputs, inputs, kernel).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None

    def forward(self, taps: Tensor) -> Tensor:
        """The product."""
        return nn.functional.linear(taps.flatten(-2), self.weight.flatten(1), self.bias)


def taps_of(frames: Tensor, kernel: int) -> Tensor:
    """Each frame behind the ones before it, silence before the first: [B, F, m] -> [B, F, m, kernel], oldest first."""
    padded = nn.functional.pad(frames, (0, 0, kernel - 1, 0))
    return padded.unfold(1, kernel, 1)
