"""The time of a step at the machine's limits, by what it reads and what it multiplies.

After Williams, Waterman and Patterson, "Roofline: an insightful visual performance model for multicore architectures"
(2009): the longer of reading at the speed of the L2 cache and multiplying at the speed of registers. Counted is each
weight that a sample is multiplied by, once a step, however many streams share it, and every product. Not counted are
activations, scales, biases, the gates and whatever is done once a hop.

The native kernel takes the past taps of a lone stream for up to 8 samples at once, so it reads less than is counted:
of `r64` in int8 it leaves out 121 of 635 KB. A fraction of the roofline is a fraction of this bound, then, and says
less of what is left to win.
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


def roofline_us(work: Work, read_gb_per_s: float, multiply_adds_g_per_s: float, threads: int = 1) -> float:
    """Microseconds of a step at a core's limits. Threads share the products; each of them reads all weights."""
    return 1e-3 * max(work.weight_bytes / read_gb_per_s, work.products / (threads * multiply_adds_g_per_s))
