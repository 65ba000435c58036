"""A NADE over frames of audio, as data.

Free of torch, so that a server on the native sampler can read a checkpoint without it.
"""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise

from pydantic import Field

from ostinato.models.network import Shapes, StackConfig, linear


class NadeConfig(StackConfig):
    """Frames of one hop, each drawn by a NADE whose context is a stack over the frames before (a step is a frame)."""

    units: int = Field(ge=1, le=4096)  # hidden, of the NADE

    @property
    def receptive_field(self) -> int:
        """Past samples that the distribution of a frame's last one depends on, at most."""
        frames = 1 + (self.kernel_size - 1) * sum(self.dilations)
        return frames * self.hop + self.hop - 1

    @property
    def known_channels(self) -> int:
        """What is known of a sample before it is drawn: sin(k phi), k = 1..K, then cos(k phi)."""
        return 2 * self.excitation.harmonics if self.excitation else 0

    @property
    def head_widths(self) -> tuple[int, ...]:
        """Widths from the skip sum to what it gives to the NADE's context, both included."""
        return (self.skip_channels, *self.head_hidden)

    @property
    def context_channels(self) -> int:
        """What the NADE's context is made of: what the stack says, and the frame before as it is."""
        return self.head_widths[-1] + self.hop

    @property
    def macs_per_sample(self) -> int:
        """Multiply-adds of one sample of one stream, without the per-hop conditioning; a frame's are shared out."""
        frame = self.hop * self.residual_channels + self.stack_macs
        frame += sum(a * b for a, b in pairwise(self.head_widths)) + self.context_channels * self.units
        tone = 2 * self.tone.harmonics if self.tone else 0
        own = self.units * (1 + self.known_channels + self.head.parameters)
        return tone + own + -(-frame // self.hop)

    @cached_property
    def shapes(self) -> Shapes:
        """Every tensor of a checkpoint, by name, with its shape."""
        shapes = self.steering_shapes() | self.stack_shapes(self.hop)
        for i, (inputs, outputs) in enumerate(pairwise(self.head_widths)):
            shapes |= linear(f"head.{i}", outputs, inputs)
        shapes["nade.weight"], shapes["nade.bias"] = (self.hop, self.units), (self.units,)
        shapes["nade.output.weight"] = (self.hop, self.head.parameters, self.units)
        shapes["nade.output.bias"] = (self.hop, self.head.parameters)
        shapes["nade.context.weight"] = (self.units, self.context_channels)
        if self.known_channels:
            shapes["nade.known.weight"] = (self.units, self.known_channels)
        return shapes
