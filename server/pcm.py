"""Samples as bytes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ostinato.server.protocol import Encoding


def encode(samples: NDArray[np.float32], encoding: Encoding) -> bytes:
    """Little-endian PCM of samples in [-1, 1]; 16 bits are rounded to even, and what is outside is clipped."""
    if encoding == "pcm_f32le":
        return samples.astype("<f4").tobytes()
    scaled = np.clip(samples, -1.0, 1.0) * np.float32(32767.0)
    return bytes(np.rint(scaled).astype("<i2").tobytes())
