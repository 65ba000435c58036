"""What the fused kernel makes of a network: widths padded for the tensor cores, and what it refuses.

Free of torch and of Triton.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from ostinato.models.config import LogisticsHead, MuLawHead, WaveNetConfig
from ostinato.models.sampling.contract import SamplerError

Precision: TypeAlias = Literal["float16", "float32"]

LANES: Final = 16
"""Streams of one program: the least rows that a tensor core's product takes."""

NARROWEST: Final = 16
"""The least width of a product in Triton, either way."""

BLOCK_BYTES: Final = 227 * 1024
"""Shared memory of one block of an H100: a matrix passes through it where threads hold it otherwise than it is read."""

BYTES: Final[dict[Precision, int]] = {"float16": 2, "float32": 4}


@dataclass(frozen=True)
class Padded:
    """Widths of one network, each the least power of two that holds it and is at least `NARROWEST`.

    What is padded is zero in every matrix, so it stays zero from layer to layer.
    """

    residual: int
    skip: int  # of the skip sum and every hidden layer of the head
    waves: int  # harmonics of the phase
    parts: int  # of the head's parameters: logits; or means, log-scales; or logits, means, log-scales
    part: int  # width of each part
    precision: Precision  # of the products

    @classmethod
    def of(cls, network: WaveNetConfig, precision: Precision) -> Padded:
        """The widths that a network is padded to.

        Raises:
            SamplerError: where a matrix is too large for one block; names the fields and their values.
        """
        shape = cls(
            residual=_padded(network.residual_channels),
            skip=_padded(max(network.skip_channels, *network.head_hidden, 1)),
            waves=_padded(network.waves),
            parts=head_parts(network),
            part=_padded(network.head.parameters // head_parts(network)),
            precision=precision,
        )
        hidden = ", ".join(map(str, network.head_hidden))
        layer = f"residual_channels: {network.residual_channels}, skip_channels: {network.skip_channels}"
        head = (
            f"skip_channels: {network.skip_channels}, head_hidden: [{hidden}], "
            f"head parameters: {network.head.parameters}"
        )
        for held, fields in ((shape.layer_bytes, layer), (shape.head_bytes, head)):
            if held > BLOCK_BYTES:
                raise SamplerError(
                    f"engine: 'fused' takes matrices of at most {BLOCK_BYTES // 1024} KB, and {fields} make one of "
                    f"{held // 1024} KB in {precision}"
                )
        return shape

    @property
    def warps(self) -> int:
        """Of a program: 8, so that each has 8 columns of a layer's narrowest product, or 4 where it has not so many."""
        return 8 if self.residual >= 64 else 4

    @property
    def layer_bytes(self) -> int:
        """Of a layer's largest matrix."""
        return self.residual * max(2 * self.residual, self.skip) * BYTES[self.precision]

    @property
    def head_bytes(self) -> int:
        """Of the head's largest matrix."""
        return self.skip * max(self.skip, self.part) * BYTES[self.precision]


def head_parts(network: WaveNetConfig) -> int:
    """How many equal parts a head's parameters have: 1 (mu_law), 2 (gaussian) or 3 (logistics)."""
    match network.head:
        case MuLawHead():
            return 1
        case LogisticsHead():
            return 3
    return 2


def ring_rows(network: WaveNetConfig) -> tuple[int, ...]:
    """Rows of each layer's ring: the least power of two above what the layer reaches back.

    A power of two, so that a mask does for a remainder. Above, so that the row written at a sample is none of those
    read at it, and one barrier a sample is enough.
    """
    return tuple(1 << (dilation * (network.kernel_size - 1)).bit_length() for dilation in network.dilations)


def _padded(width: int) -> int:
    return max(NARROWEST, 1 << (width - 1).bit_length() if width else 0)
