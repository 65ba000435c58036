"""Another sample rate, or another speed."""

from __future__ import annotations

import numpy as np
import soxr  # type: ignore[import-untyped]
from numpy.typing import NDArray


def resample(audio: NDArray[np.floating], rate: float, new_rate: float) -> NDArray[np.float32]:
    """Audio [T] of one sample rate at another, float32 [about T * new_rate / rate]; both may be any positive number."""
    if rate == new_rate:
        return audio.astype(np.float32)
    return np.asarray(soxr.resample(audio, rate, new_rate), dtype=np.float32)


def faster(audio: NDArray[np.float32], cents: float) -> NDArray[np.float32]:
    """Audio as from a tape that runs faster: so many cents higher, and shorter."""
    return resample(audio, 2.0 ** (cents / 1200), 1.0)
