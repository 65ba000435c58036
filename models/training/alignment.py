"""The recording's own phase, so that the harmonics a model is trained on run in step with what it must play.

The fundamental is cut out by a Gaussian band about its nominal frequency; the angle of its analytic signal is the
phase. Where the fundamental is too weak to tell (the first milliseconds, the end of a release), the phase runs on at
the nominal frequency, as it will when the model is played.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.fft import next_fast_len

BAND: Final = 0.12  # standard deviation of the band, as a share of the fundamental
WEAK: Final = 0.05  # of the fundamental's greatest envelope


def track_phase(audio: NDArray[np.float32], hertz: float, sample_rate: int) -> NDArray[np.int64]:
    """The phase of the fundamental at each sample: audio [T] -> int64 [T], 2^64 a turn; a cosine peaks at 0."""
    return as_fixed_point(nominal_turns(len(audio), hertz, sample_rate) + _drift(audio, hertz, sample_rate))


def track_drift(audio: NDArray[np.float32], hertz: float, sample_rate: int, hop: int) -> NDArray[np.float32]:
    """How far the phase is off the nominal one at the start of each hop, in turns: [T] -> float32 [T / hop]."""
    return _drift(audio, hertz, sample_rate)[::hop].astype(np.float32)


def drifted_phase(
    drift: NDArray[np.float32], samples: int, hertz: float, sample_rate: int, hop: int
) -> NDArray[np.int64]:
    """The phase that `track_drift` told of, on straight lines between the hops: int64 [samples], 2^64 a turn."""
    turns = np.interp(np.arange(samples), hop * np.arange(len(drift)), drift)
    return as_fixed_point(nominal_turns(samples, hertz, sample_rate) + turns)


def nominal_turns(samples: int, hertz: float, sample_rate: int) -> NDArray[np.float64]:
    """The running phase of a steady frequency, in turns: float64 [samples], 0 at the first."""
    return np.asarray(np.arange(samples, dtype=np.float64) * (hertz / sample_rate))


def _drift(audio: NDArray[np.float32], hertz: float, sample_rate: int) -> NDArray[np.float64]:
    """Turns off the nominal phase, unwrapped: float64 [T]."""
    fundamental = analytic_band(audio, hertz, sample_rate)
    envelope = np.abs(fundamental)
    strong = np.flatnonzero(envelope > WEAK * envelope.max())
    if not strong.size:
        return np.zeros(len(audio))
    nominal = nominal_turns(len(audio), hertz, sample_rate)
    angle = np.angle(fundamental[strong] * np.exp(-2j * np.pi * nominal[strong]))
    return np.asarray(np.interp(np.arange(len(audio)), strong, np.unwrap(angle) / (2 * np.pi)))


def analytic_band(audio: NDArray[np.float32], hertz: float, sample_rate: int) -> NDArray[np.complex128]:
    """The analytic signal in a Gaussian band about `hertz`: [T] -> complex [T]."""
    # room for the band's own ringing, so that the end does not wrap onto the start
    size = int(next_fast_len(2 * len(audio)))
    frequencies = np.fft.fftfreq(size, 1 / sample_rate)
    band = np.exp(-0.5 * ((frequencies - hertz) / (BAND * hertz)) ** 2)
    spectrum = np.fft.fft(audio, size) * 2 * band * (frequencies > 0)
    return np.asarray(np.fft.ifft(spectrum)[: len(audio)])


def as_fixed_point(turns: NDArray[np.float64]) -> NDArray[np.int64]:
    """Turns, of which the fraction counts, as int64 with 2^64 a turn."""
    fraction = turns - np.floor(turns + 0.5)  # in [-1/2, 1/2)
    return (fraction * 2.0**63).astype(np.int64) * 2
