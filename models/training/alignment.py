"""The recording's own phase, so that the excitation a model is trained on runs in step with what it must draw.

The fundamental is cut out by a Gaussian band about its nominal frequency; the angle of its analytic signal is the
phase. Where the fundamental is too weak to tell (the first milliseconds, the end of a release), the phase runs on at
the nominal frequency, as it will when the model is played.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

BAND: Final = 0.12  # standard deviation of the band, as a share of the fundamental
WEAK: Final = 0.05  # of the fundamental's greatest envelope


def track_phase(audio: NDArray[np.float32], hertz: float, sample_rate: int) -> NDArray[np.int64]:
    """The phase of the fundamental at each sample: audio [T] -> int64 [T], 2^64 a turn; a cosine peaks at 0."""
    fundamental = analytic_band(audio, hertz, sample_rate)
    nominal: NDArray[np.float64] = np.arange(len(audio), dtype=np.float64) * (hertz / sample_rate)  # turns
    envelope = np.abs(fundamental)
    strong = np.flatnonzero(envelope > WEAK * envelope.max())
    if not strong.size:
        return as_fixed_point(nominal)
    angle = np.angle(fundamental[strong] * np.exp(-2j * np.pi * nominal[strong]))
    drift = np.unwrap(angle) / (2 * np.pi)  # turns off the nominal phase
    return as_fixed_point(nominal + np.interp(np.arange(len(audio)), strong, drift))


def analytic_band(audio: NDArray[np.float32], hertz: float, sample_rate: int) -> NDArray[np.complex128]:
    """The analytic signal in a Gaussian band about `hertz`: [T] -> complex [T]."""
    size = 2 * len(audio)  # room for the band's own ringing, so that the end does not wrap onto the start
    frequencies = np.fft.fftfreq(size, 1 / sample_rate)
    band = np.exp(-0.5 * ((frequencies - hertz) / (BAND * hertz)) ** 2)
    spectrum = np.fft.fft(audio, size) * 2 * band * (frequencies > 0)
    return np.asarray(np.fft.ifft(spectrum)[: len(audio)])


def as_fixed_point(turns: NDArray[np.float64]) -> NDArray[np.int64]:
    """Turns, of which the fraction counts, as int64 with 2^64 a turn."""
    fraction = turns - np.floor(turns + 0.5)  # in [-1/2, 1/2)
    return (fraction * 2.0**63).astype(np.int64) * 2
