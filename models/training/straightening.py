"""A recording without its vibrato and drift: resampled along its own phase, so that its pitch stands still.

Where vibrato spreads a high harmonic over the space between it and the next, no spectrum can tell it from noise; along
the phase every harmonic is a line again, and noise stays noise.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ostinato.models.training.measures import Audio


def straighten(audio: Audio, phase: NDArray[np.int64], sample_rate: int) -> tuple[Audio, float]:
    """Audio [T] and its running phase [T] (2^64 a turn) -> as much audio of one pitch, float32, and that pitch in Hz.

    The pitch is the mean one. A phase that stands still or runs back leaves the audio as it is.
    """
    from scipy.interpolate import CubicSpline
    from scipy.signal import resample

    turns = np.concatenate(([0.0], np.cumsum(np.diff(phase) / 2.0**64)))
    step = float(turns[-1]) / max(len(turns) - 1, 1)
    if step <= 0 or not (np.diff(turns) > 0).all():
        return audio, max(step, 0.0) * sample_rate
    at = np.interp(np.arange(len(audio)) * step, turns, np.arange(len(audio)))
    twice = resample(audio.astype(np.float64), 2 * len(audio))  # a cubic is exact enough at half the bandwidth
    return CubicSpline(np.arange(len(twice)) / 2, twice)(at).astype(np.float32), step * sample_rate
