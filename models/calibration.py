"""What int8 needs to know of a model beside its weights: how far its activations reach, and what it then costs.

`int8.json` beside the weights, written by `ostinato quantize`; strict, and bound to the weights that it was made for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ostinato.models.config import WaveNetConfig

KEEPS_QUALITY: Final = 0.02
"""Bits a sample that int8 may cost on held-out notes and still be taken by itself."""


@dataclass(frozen=True)
class Calibration:
    """The largest magnitudes that activations reach, and what int8 then costs.

    Attributes:
        hidden: of what enters each layer.
        gate: of what each layer's gate lets through.
        head: of what enters each matrix of the head, after its rectifier.
        bits_float32: negative log2-likelihood of held-out notes, bits a sample; None where it was not measured.
        bits_int8: the same, of the int8 kernel.
    """

    hidden: tuple[float, ...]
    gate: tuple[float, ...]
    head: tuple[float, ...]
    bits_float32: float | None = None
    bits_int8: float | None = None

    @property
    def extra_bits(self) -> float | None:
        """Bits a sample that int8 costs; None where that was not measured."""
        if self.bits_float32 is None or self.bits_int8 is None:
            return None
        return self.bits_int8 - self.bits_float32

    @property
    def keeps_quality(self) -> bool:
        """Whether int8 was measured to cost no more than `KEEPS_QUALITY`."""
        return self.extra_bits is not None and self.extra_bits <= KEEPS_QUALITY


def assumed(network: WaveNetConfig) -> Calibration:
    """The ranges of random weights as `registry.random_checkpoint` draws them: a residual stream that grows."""
    return Calibration(
        hidden=tuple(4.0 * float(np.sqrt(1.0 + 0.25 * layer)) for layer in range(network.layers)),
        gate=(1.0,) * network.layers,
        head=(12.0,) * (len(network.head_widths) - 1),
    )
