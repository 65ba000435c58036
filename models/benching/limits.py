"""What one core of this machine reads and multiplies at best, measured where it is asked.

Both are taken below Python, with the instructions of the native kernel: the fastest of some twenty windows of 2 ms,
since whatever else runs can only take away from a limit. `models/native/src/limits.hpp` has the loops.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ostinato.models.benching.roofline import PRECISIONS, Precision, Rates, Work
from ostinato.models.native import _kernel

READ_SIZES: Final = {"L1": 1 << 15, "L2": 1 << 19, "beyond": 1 << 23}
"""Bytes whose reading is shown with the limits: they fit the caches so named on most machines."""


@dataclass(frozen=True)
class Limits:
    """What a core of this machine reaches."""

    isa: str
    read_gb_per_s: dict[str, float]  # by where the bytes lie
    multiply_adds_g_per_s: dict[str, float]  # by precision


def measured_limits(isa: str) -> Limits:
    """Of an instruction set; takes about 0.2 s."""
    return Limits(
        isa=isa,
        read_gb_per_s={name: round(_kernel.read_rate(size, isa) / 1e9, 1) for name, size in READ_SIZES.items()},
        multiply_adds_g_per_s={
            precision: round(_kernel.multiply_rate(precision, isa) / 1e9, 1) for precision in PRECISIONS
        },
    )


def measured_rates(work: Work, precision: Precision, isa: str) -> Rates:
    """This machine's, in reading as much as a step does and in multiplying at a precision; takes about 0.1 s."""
    return Rates(_kernel.read_rate(work.weight_bytes, isa), _kernel.multiply_rate(precision, isa))
