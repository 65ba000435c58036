"""Voices into one signal, through a memoryless limiter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ostinato.models.native import _kernel


def mix_voices(
    voices: NDArray[np.float32], gains: NDArray[np.float32], out: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Sum voices in row order.

    One voice passes untouched, held to [-1, 1]. The sum of more is the identity up to 0.9 in magnitude and
    0.9 + 0.1 tanh((|x| - 0.9) / 0.1), with its sign, above. The bits are the same on every instruction set.

    Args:
        voices: float32 [n, T], C-contiguous.
        gains: float32 [n], or [n, T] with a gain for each sample; factors, not decibels.
        out: float32 [T] to write into; a new array where None.

    Returns:
        `out`: within [-1, 1]; silence where n is 0.

    Raises:
        TypeError: another dtype or a layout that is not C-contiguous.
        ValueError: shapes that do not fit each other.
    """
    if out is None:
        out = np.empty(voices.shape[-1], dtype=np.float32)
    _kernel.mix(voices, gains, out)
    return out
