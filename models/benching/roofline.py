"""The least time that a step can take on a machine, by what it reads and what it multiplies.

After Williams, Waterman and Patterson, "Roofline: an insightful visual performance model for multicore architectures"
(2009): a step takes at least as long as reading its weights, and at least as long as its multiply-adds. Counted is
what a step on its own can't do without, each weight that it multiplies by once, however many streams share it, and
each product once. Left out are activations, scales, biases, the gates and whatever is done once a hop. Past taps count
in full, though a sampler may read them once for several samples of a lone stream.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal, TypeAlias

from ostinato.models.config import WaveNetConfig

Precision: TypeAlias = Literal["float32", "int8"]
PRECISIONS: Final[tuple[Precision, ...]] = ("float32", "int8")


@dataclass(frozen=True)
class Work:
    """What one step asks for."""

    weight_bytes: int
    products: int  # multiply-adds


def work_of_step(network: WaveNetConfig, precision: Precision, streams: int) -> Work:
    """What one sample of so many streams asks for. In int8 the head has 16 bits and the input layer 32."""
    r, s = network.residual_channels, network.skip_channels
    entry = network.input_channels * r
    stack = network.layers * (network.kernel_size * r * 2 * r + r * s + r * r) - r * r  # no residual in the last layer
    head = sum(inputs * outputs for inputs, outputs in pairwise(network.head_widths))
    widths = (4, 1, 2) if precision == "int8" else (4, 4, 4)
    weight_bytes = sum(width * count for width, count in zip(widths, (entry, stack, head), strict=True))
    return Work(weight_bytes, streams * network.macs_per_sample)


@dataclass(frozen=True)
class Rates:
    """How fast one core reads and multiplies."""

    bytes_per_s: float
    products_per_s: float

    def __or__(self, other: Rates) -> Rates:
        """The faster of both, since a limit is disturbed in one direction only."""
        return Rates(
            max(self.bytes_per_s, other.bytes_per_s),
            max(self.products_per_s, other.products_per_s),
        )


def roofline_us(work: Work, rates: Rates, threads: int = 1) -> float:
    """Microseconds that a step takes at least. Threads share the products; each of them reads all weights."""
    return 1e6 * max(work.weight_bytes / rates.bytes_per_s, work.products / (threads * rates.products_per_s))
