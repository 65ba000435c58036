"""A flow over frames of audio, as data.

Free of torch, so that a server on the native sampler can read a checkpoint without it.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple, Self

from pydantic import Field, model_validator

from ostinato.models.network import Shapes, SteeredConfig, linear


class Split(NamedTuple):
    """Which half of a frame's places a coupling moves: those that have a bit set, or those that have it clear."""

    bit: int
    moves_set: bool


class FlowConfig(SteeredConfig):
    """Frames of one hop through affine couplings (Dinh et al. 2017), each of which moves half of a frame's places.

    The head says what the noise is: a Gaussian, or a single logistic.
    """

    couplings: int = Field(ge=1, le=256)
    kernel_size: int = Field(default=2, ge=1, le=16)  # frames that a coupling sees, its own the last
    units: int = Field(ge=1, le=1024)  # gated, of each coupling
    lines: int = Field(ge=1, le=1024)  # linear units of each coupling, whose gains the condition states

    @model_validator(mode="after")
    def _refuse_what_cannot_be_split(self) -> Self:
        if self.hop < 2 or self.hop & (self.hop - 1):
            raise ValueError(f"hop: {self.hop} is not a power of two from 2 up, by whose bits a frame is split")
        if self.head.kind == "mu_law" or (self.head.kind == "logistics" and self.head.components != 1):
            raise ValueError(f"head: {self.head.kind} with {self.head.parameters} parameters is not one scaled noise")
        if self.excitation:
            raise ValueError(f"excitation: {self.excitation.harmonics} harmonics, and a flow has no input for them")
        return self

    @property
    def half(self) -> int:
        """Places that a coupling moves, and as many that it reads."""
        return self.hop // 2

    @cached_property
    def splits(self) -> tuple[Split, ...]:
        """Of each coupling, from samples to noise.

        The first turn goes up through the bits and moves what has them clear: every second sample, then every second of
        the rest, each between two that are still as they were, the frame before's last among them. So a frame's border
        is like any other place. The next turn goes the same way with the halves exchanged, and so on.
        """
        bits = self.hop.bit_length() - 1
        return tuple(Split(k % bits, k // bits % 2 == 1) for k in range(self.couplings))

    @property
    def receptive_field(self) -> int:
        """Past samples that the distribution of a frame's last one depends on, at most."""
        return (self.couplings * (self.kernel_size - 1) + 1) * self.hop - 1

    @property
    def macs_per_sample(self) -> int:
        """Multiply-adds of one sample of one stream, without the per-hop conditioning; a frame's are shared out."""
        read = self.kernel_size * self.half * (2 * self.units + self.lines + self.half)
        written = self.units * self.hop + self.lines * self.half
        tone = 2 * self.tone.harmonics if self.tone else 0
        return tone + -(-self.couplings * (read + written) // self.hop)

    @cached_property
    def shapes(self) -> Shapes:
        """Every tensor of a checkpoint, by name, with its shape."""
        shapes, half = self.steering_shapes(), self.half
        for k in range(self.couplings):
            name = f"couplings.{k}"
            shapes |= linear(f"{name}.gate", 2 * self.units, half, self.kernel_size)
            shapes |= linear(f"{name}.lines", self.lines, half, self.kernel_size, bias=False)
            shapes |= linear(f"{name}.direct", half, half, self.kernel_size, bias=False)
            shapes |= linear(f"{name}.shift", half, self.lines, bias=False)
            shapes |= linear(f"{name}.output", self.hop, self.units)
            if self.condition_channels:
                stated = 2 * self.units + self.lines + half
                shapes |= linear(f"{name}.condition", stated, self.condition_channels, bias=False)
        return shapes
