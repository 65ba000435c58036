"""Samples as bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ostinato.server.protocol import CloseCode, Encoding, ProtocolError

SAMPLE_BYTES: Final[Mapping[Encoding, int]] = {"pcm_s16le": 2, "pcm_f32le": 4}


def encode(samples: NDArray[np.float32], encoding: Encoding) -> bytes:
    """Little-endian PCM of samples in [-1, 1]; 16 bits are rounded to even, and what is outside is clipped.

    Raises:
        ProtocolError: fatal, where a sample is no finite number: a model's state that holds one never recovers.
    """
    if not np.isfinite(samples).all():
        message = "the model drew a sample that is not a finite number; the session is lost"
        raise ProtocolError("not_finite", message, kind="internal", close=CloseCode.INTERNAL)
    if encoding == "pcm_f32le":
        return samples.astype("<f4").tobytes()
    scaled = np.clip(samples, -1.0, 1.0) * np.float32(32767.0)
    return bytes(np.rint(scaled).astype("<i2").tobytes())
