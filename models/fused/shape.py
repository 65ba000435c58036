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
"""Shared memory of one block of an H200, where the matrices of a product wait for the tensor cores."""

SPARE_BYTES: Final = 4 * 1024
"""Of `BLOCK_BYTES`, for what is no matrix: the rings' table, sums that change hands between threads."""

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
            SamplerError: where a layer or the head is too large for one block; names the fields and their values.
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
        layer = (
            f"residual_channels: {network.residual_channels}, skip_channels: {network.skip_channels}, "
            f"kernel_size: {network.kernel_size}"
        )
        head = (
            f"skip_channels: {network.skip_channels}, head_hidden: [{hidden}], "
            f"head parameters: {network.head.parameters}"
        )
        for held, fields in ((shape.layer_bytes(network.kernel_size), layer), (shape.head_bytes(), head)):
            if held + SPARE_BYTES > BLOCK_BYTES:
                raise SamplerError(
                    f"engine: 'fused' takes layers and heads of at most {(BLOCK_BYTES - SPARE_BYTES) // 1024} KB, and "
                    f"{fields} take {held // 1024} KB in {precision}"
                )
        return shape

    def layer_bytes(self, taps: int) -> int:
        """Shared memory that one layer fills: its matrices, the rows of its past, and the rows being multiplied."""
        matrices = (2 * taps + 1) * self.residual**2 + self.residual * self.skip
        return (matrices + taps * LANES * self.residual) * BYTES[self.precision]

    def head_bytes(self) -> int:
        """Shared memory that the largest matrix of the head fills, with the rows it multiplies."""
        return (self.skip * max(self.skip, self.part) + LANES * self.skip) * BYTES[self.precision]

    def stages(self, taps: int) -> int:
        """Stages of the loop of layers as Triton pipelines it: 5, or 3 where two layers do not fit a block.

        The rings' table is read a stage before what it points to, so 3 leaves one buffer a matrix: a layer's
        weights are asked for when the layer before is done with its own. From 5 on they lie in a second buffer and
        travel while that layer computes.
        """
        return 5 if 2 * self.layer_bytes(taps) + SPARE_BYTES <= BLOCK_BYTES else 3


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
