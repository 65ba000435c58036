"""Latents once a hop, drawn one after another, and a decoder of them that is parallel over samples: as data.

Free of torch, so that a server on the native sampler can read a checkpoint without it.
"""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise
from typing import Final, Self

from pydantic import Field, model_validator

from ostinato.models.network import Shapes, StackConfig, linear

HEARD_HARMONICS: Final = 32  # whose deviations the encoder hears
BANDS: Final = 16  # whose powers it hears
WINDOW_HOPS: Final = 4  # over which it hears them


class HybridConfig(StackConfig):
    """A stack over latents, whose step is a hop: what it says of those before is both prior's and decoder's context."""

    latents: int = Field(ge=1, le=64)
    decoder_units: int = Field(ge=1, le=4096)
    cepstrum: int = Field(default=32, ge=1, le=256)  # coefficients of the noise's log-spectrum, beside its level
    taps: int = Field(default=64, ge=2, le=1024)  # of the filter that they make

    @model_validator(mode="after")
    def _refuse_what_is_not_decoded(self) -> Self:
        if self.tone is None:
            raise ValueError("tone: null, and a hybrid's decoder moves its levels and phases")
        if self.excitation is not None:
            raise ValueError(f"excitation: {self.excitation.harmonics} harmonics, and a hybrid has no input for them")
        if self.head.kind != "gaussian":
            raise ValueError(f"head: {self.head.kind!r}, and a hybrid's noise is gaussian")
        return self

    @property
    def latent_draws(self) -> int:
        """Normals of a hop beside those of its samples."""
        return self.latents

    @property
    def receptive_field(self) -> int:
        """Past samples whose latents the stack sees; beyond them each latent remembers itself alone."""
        return self.hop * (1 + (self.kernel_size - 1) * sum(self.dilations))

    @property
    def head_widths(self) -> tuple[int, ...]:
        """Widths from the skip sum to the context, both included."""
        return (self.skip_channels, *self.head_hidden)

    @property
    def context_channels(self) -> int:
        """What the stack says of the latents before."""
        return self.head_widths[-1]

    @property
    def decoded_channels(self) -> int:
        """What is decoded of a hop: log-gain and turn of each harmonic, log-gain of the noise, its cepstrum."""
        return 2 * self.harmonics + 1 + self.cepstrum

    @property
    def harmonics(self) -> int:
        """Of the tone."""
        assert self.tone is not None
        return self.tone.harmonics

    @property
    def heard_harmonics(self) -> int:
        """The lowest harmonics, whose deviations the encoder hears."""
        return min(self.harmonics, HEARD_HARMONICS)

    @property
    def encoder_channels(self) -> int:
        """What the encoder hears of a hop: two deviations of each of its harmonics, and powers of bands."""
        return 2 * self.heard_harmonics + min(BANDS, WINDOW_HOPS * self.hop // 2)

    @property
    def macs_per_sample(self) -> int:
        """Multiply-adds of one sample of one stream, without the per-hop conditioning; a hop's are shared out."""
        d, v, z = self.latents, self.decoder_units, self.context_channels
        hop = d * self.residual_channels + self.stack_macs + sum(a * b for a, b in pairwise(self.head_widths))
        hop += z * 2 * d + (z + d) * v + (v + d) * self.decoded_channels + self.cepstrum * self.taps
        return 2 * self.harmonics + 2 * self.taps + -(-hop // self.hop)

    @cached_property
    def shapes(self) -> Shapes:
        """Every tensor of a checkpoint, by name, with its shape; the encoder's too, which sampling has no use for."""
        d, v, z = self.latents, self.decoder_units, self.context_channels
        shapes = self.steering_shapes() | self.stack_shapes(d)
        for i, (inputs, outputs) in enumerate(pairwise(self.head_widths)):
            shapes |= linear(f"head.{i}", outputs, inputs)
        shapes |= linear("prior", 2 * d, z) | {"memory": (d,)}
        shapes |= linear("decoder.hidden", v, z + d) | linear("decoder.output", self.decoded_channels, v + d)
        encoder = self.stack_shapes(self.encoder_channels) | linear("posterior", 2 * d, self.skip_channels)
        return shapes | {f"encoder.{name}": shape for name, shape in encoder.items()}
