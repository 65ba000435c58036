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

LARGEST_TILE_BYTES: Final = 128 * 1024
"""A matrix is loaded whole; a block of an H200 has 227 KB of shared memory, for one of these and what goes with it."""

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

    @classmethod
    def of(cls, network: WaveNetConfig, precision: Precision) -> Padded:
        """The widths that a network is padded to.

        Raises:
            SamplerError: where a matrix of the network is too large for one block; names the field and its value.
        """
        shape = cls(
            residual=_padded(network.residual_channels),
            skip=_padded(max(network.skip_channels, *network.head_hidden, 1)),
            waves=_padded(network.waves),
            parts=head_parts(network),
            part=_padded(network.head.parameters // head_parts(network)),
        )
        widest = max((width, "head_hidden") for width in (*network.head_hidden, 0))
        widest = max(widest, (network.skip_channels, "skip_channels"))
        for rows, columns, value, field in (
            (shape.residual, shape.residual, network.residual_channels, "residual_channels"),
            (max(shape.residual, shape.skip if network.head_hidden else 0), shape.skip, *widest),
            (shape.skip, shape.part, *max(widest, (network.head.parameters, "head parameters"))),
        ):
            size = rows * columns * BYTES[precision]
            if size > LARGEST_TILE_BYTES:
                raise SamplerError(
                    f"engine: 'fused' takes matrices of at most {LARGEST_TILE_BYTES // 1024} KB, and {field}: {value} "
                    f"makes one of {rows} x {columns} in {precision}, {size // 1024} KB"
                )
        return shape


def head_parts(network: WaveNetConfig) -> int:
    """How many equal parts a head's parameters have: 1 (mu_law), 2 (gaussian) or 3 (logistics)."""
    match network.head:
        case MuLawHead():
            return 1
        case LogisticsHead():
            return 3
    return 2


def ring_rows(network: WaveNetConfig) -> tuple[int, ...]:
    """Rows of each layer's ring: one more than the layer reaches back.

    So the row that is written at a sample is none of those read at it, and one barrier a sample is enough.
    """
    return tuple(dilation * (network.kernel_size - 1) + 1 for dilation in network.dilations)


def _padded(width: int) -> int:
    return max(NARROWEST, 1 << (width - 1).bit_length() if width else 0)
