"""Blocks of samples, each drawn from a causal transformer over the blocks before, as data.

Free of torch, so that a server on the native sampler can read a checkpoint without it.
"""

from __future__ import annotations

from functools import cached_property
from typing import Final, Literal, Self

from pydantic import Field, model_validator

from ostinato.models.network import Shapes, SteeredConfig, linear

WIDEST_HEAD: Final = 128


class BlocksConfig(SteeredConfig):
    """A transformer (Vaswani et al. 2017) whose step is a block of samples, and a cheap head inside the block."""

    block: int = Field(ge=1, le=4096)  # samples; a divisor of the hop
    before: int = Field(ge=1, le=4096)  # samples before a block that come in as they are, at least a block
    width: int = Field(ge=1, le=1024)
    heads: int = Field(ge=1, le=64)
    kv_heads: int = Field(ge=1, le=64)  # keys and values, each for a group of heads (Ainslie et al. 2023)
    feed_forward: int = Field(ge=1, le=4096)
    layers: int = Field(ge=1, le=64)
    window: int = Field(ge=1, le=4096)  # blocks that a layer attends to, its own the last of them
    inside: Literal["parallel", "nade"]  # the samples of a block: all at once, or each given those before
    units: int = Field(ge=1, le=4096)  # hidden, of what is inside
    taps: int = Field(ge=0, le=4096)  # of the linear prediction that the transformer states for each block; 0 for none

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.hop % self.block:
            raise ValueError(f"block: {self.block} does not divide the hop, {self.hop}")
        if self.before < max(self.block, self.taps):
            raise ValueError(f"before: {self.before}, expected at least block ({self.block}) and taps ({self.taps})")
        if self.width % self.heads or self.width // self.heads % 2:
            raise ValueError(f"heads: {self.heads} do not share a width of {self.width} in even parts")
        if self.width // self.heads > WIDEST_HEAD:
            raise ValueError(f"heads: {self.heads} of a width of {self.width} are wider than {WIDEST_HEAD} channels")
        if self.heads % self.kv_heads:
            raise ValueError(f"kv_heads: {self.kv_heads} does not divide heads, {self.heads}")
        if self.taps and self.head.kind == "mu_law":
            raise ValueError(f"taps: {self.taps}, which move means, and a mu_law head has none")
        return self

    @property
    def receptive_field(self) -> int:
        """Past samples that the distribution of a block's last one depends on."""
        return (self.layers * (self.window - 1) + 1) * self.block - 1 + self.before

    @property
    def head_width(self) -> int:
        """Channels of one head of attention; even, for they turn in pairs."""
        return self.width // self.heads

    @property
    def kv_width(self) -> int:
        """Channels of the keys of a block, and of its values."""
        return self.kv_heads * self.head_width

    @property
    def known_channels(self) -> int:
        """What is known of a sample before it is drawn: sin(k phi), k = 1..K, then cos(k phi)."""
        return 2 * self.excitation.harmonics if self.excitation else 0

    @property
    def context_channels(self) -> int:
        """What the head inside a block is given: the transformer's word, and the samples before as they are."""
        return self.width + self.before

    @property
    def macs_per_sample(self) -> int:
        """Multiply-adds of one sample of one stream, without the per-hop conditioning; a block's are shared out."""
        layer = self.width * (2 * self.width + 2 * self.kv_width) + 2 * self.window * self.width
        layer += 3 * self.width * self.feed_forward
        block = self.before * self.width + self.layers * layer + self.width * self.taps
        block += self.context_channels * self.units
        own = self.units * (self.known_channels + self.head.parameters) + self.taps
        if self.inside == "nade":
            own += self.units
        tone = 2 * self.tone.harmonics if self.tone else 0
        return tone + own + -(-block // self.block)

    @cached_property
    def shapes(self) -> Shapes:
        """Every tensor of a checkpoint, by name, with its shape."""
        shapes = self.steering_shapes() | linear("input", self.width, self.before, bias=self.bias)
        if self.condition_channels:
            shapes |= linear("condition", self.width, self.condition_channels, bias=False)
        for i in range(self.layers):
            shapes |= self._layer_shapes(f"layers.{i}")
        shapes["norm.weight"] = (self.width,)
        if self.taps:
            shapes |= linear("taps", self.taps, self.width)
        return shapes | self._inside_shapes()

    def _layer_shapes(self, name: str) -> Shapes:
        """One layer's attention and feed-forward, each with the norm before it."""
        heard = self.width + 2 * self.kv_width
        shapes: Shapes = {f"{name}.attention_norm.weight": (self.width,), f"{name}.forward_norm.weight": (self.width,)}
        shapes |= linear(f"{name}.heard", heard, self.width, bias=False)
        shapes |= linear(f"{name}.said", self.width, self.width, bias=False)
        shapes |= linear(f"{name}.up", 2 * self.feed_forward, self.width, bias=self.bias)
        return shapes | linear(f"{name}.down", self.width, self.feed_forward, bias=self.bias)

    def _inside_shapes(self) -> Shapes:
        """The head inside a block. A NADE has an output for each place, and a row of weights that its sample adds."""
        places = (self.block,) if self.inside == "nade" else ()
        parameters = self.head.parameters
        shapes: Shapes = {"inside.bias": (self.units,)} if places else {"inside.places": (self.block, self.units)}
        if places:
            shapes["inside.weight"] = (self.block, self.units)
        shapes["inside.output.weight"] = (*places, parameters, self.units)
        shapes["inside.output.bias"] = (*places, parameters)
        shapes["inside.context.weight"] = (self.units, self.context_channels)
        if self.known_channels:
            shapes["inside.known.weight"] = (self.units, self.known_channels)
        return shapes
