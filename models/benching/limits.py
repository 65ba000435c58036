"""What one core of this machine reads and multiplies at best.

Both are taken below Python, with the instructions of the native kernel: the fastest of some tens of windows of 2 ms,
since whatever else runs can only take away from a limit. `models/native/src/limits.hpp` has the loops.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ostinato.models.benching.roofline import PRECISIONS, Precision
from ostinato.models.sampling.contract import SamplerError

TAKES: Final = 3
MOST_BYTES: Final = 1 << 26
CACHES: Final = Path("/sys/devices/system/cpu/cpu0/cache")
ASSUMED_CACHE_BYTES: Final = {1: 1 << 15, 2: 1 << 19}
"""By level, where the system does not tell."""


@dataclass(frozen=True)
class Limits:
    """What a core of this machine reaches with one instruction set."""

    isa: str
    read_bytes: dict[str, int]  # how much is read again and again from L1, from L2, and from beyond
    read_gb_per_s: dict[str, float]  # by the same names
    multiply_adds_g_per_s: dict[Precision, float]


def measured_limits() -> Limits:
    """Of the instruction set that the native kernel takes here; takes about a second.

    Raises:
        SamplerError: where the native kernel was not built, or the machine lacks the instruction set.
    """
    try:
        from ostinato.models.native import _kernel
        from ostinato.models.sampling.native import ISA_VARIABLE
    except ImportError as error:
        raise SamplerError(f"engine: 'native' was not built: {error}") from error
    isa = os.environ.get(ISA_VARIABLE) or _kernel.isas()[0]
    sizes = read_sizes(CACHES)
    try:
        reads = {name: max(_kernel.read_rate(size, isa) for _ in range(TAKES)) for name, size in sizes.items()}
        products = {p: max(_kernel.multiply_rate(p, isa) for _ in range(TAKES)) for p in PRECISIONS}
    except ValueError as error:
        raise SamplerError(str(error)) from error
    return Limits(
        isa=isa,
        read_bytes=sizes,
        read_gb_per_s={name: round(rate / 1e9, 1) for name, rate in reads.items()},
        multiply_adds_g_per_s={precision: round(rate / 1e9, 1) for precision, rate in products.items()},
    )


def read_sizes(caches: Path) -> dict[str, int]:
    """Bytes to read again and again: half of a cache is read from it, four times the larger one from beyond.

    Args:
        caches: where Linux describes a core's caches.
    """
    l1, l2 = (_cache_bytes(caches, level) or ASSUMED_CACHE_BYTES[level] for level in (1, 2))
    return {"L1": l1 // 2, "L2": l2 // 2, "beyond": min(4 * l2, MOST_BYTES)}


def _cache_bytes(caches: Path, level: int) -> int | None:
    """Size of the data cache of a level; None where it is not told."""
    for cache in sorted(caches.glob("index*")):
        told = {name: (cache / name).read_text(encoding="ascii").strip() for name in ("level", "type", "size")}
        if told["level"] == str(level) and told["type"] != "Instruction" and told["size"].endswith("K"):
            return int(told["size"].removesuffix("K")) << 10
    return None
