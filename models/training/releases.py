"""How a note ends: whatever the source does, its tail is shaped so that every note is let go alike and falls silent.

From the release on, the tail is multiplied by a curve that starts softly, then falls along a straight line in
decibels (45 dB down at 0.26 s), and from 0.3 s to 0.48 s also by half a cosine, to digital silence. So what a model
learns of a release is one thing, however long an instrument's room or a soundfont's envelope rings on.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

TAIL_S: Final = 0.5  # kept after the release, its end silent

FALL_DB_S: Final = 185.0  # dB per second, once it falls
SOFT_S: Final = 0.02  # the fall begins as a parabola of about this length
FADE_S: Final = 0.3  # from here to `SILENT_S` the rest fades out
SILENT_S: Final = 0.48


def release_curve(samples: int, sample_rate: int) -> NDArray[np.float64]:
    """The factor of each sample from the release on: float64 [samples], 1 at the first, 0 from `SILENT_S` on."""
    t = np.arange(samples) / sample_rate
    fallen = 10.0 ** (-FALL_DB_S * t**2 / (t + SOFT_S) / 20.0)
    fade = np.clip((t - FADE_S) / (SILENT_S - FADE_S), 0.0, 1.0)
    return np.asarray(fallen * (0.5 + 0.5 * np.cos(np.pi * fade)))


def shape_release(audio: NDArray[np.float32], release: int, sample_rate: int) -> NDArray[np.float32]:
    """A note, [T], whose tail from sample `release` on follows `release_curve`."""
    shaped = audio.copy()
    shaped[release:] *= release_curve(len(audio) - release, sample_rate).astype(np.float32)
    return shaped
