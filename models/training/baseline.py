"""What the excitation and an amplitude envelope alone make of a recording: the floor that a model must rise above.

The harmonics of the recording's own phase, each at one level for the whole note (its mean spectrum), under the
recording's envelope. There is no noise, no attack of its own, and no change of colour while the note lasts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ostinato.models.training.measures import HIGHEST_SHARE, Audio

MOST_HARMONICS: Final = 64
FRAME_S: Final = 0.05  # harmonics add up coherently within a frame, and by power from frame to frame
ENVELOPE_S: Final = 0.02
RISE_S: Final = 0.005  # at the onset, before which the envelope would begin


def resynthesise(audio: Audio, phase: NDArray[np.int64], hertz: float, stretch: slice, sample_rate: int) -> Audio:
    """A recording [T], its phase [T] (2^64 a turn), and the stretch its spectrum is taken from -> float32 [T]."""
    count = min(MOST_HARMONICS, int(HIGHEST_SHARE * sample_rate / hertz))
    spectrum = mean_spectrum(audio[stretch], phase[stretch], count, int(FRAME_S * sample_rate))
    carrier = np.zeros(len(audio))
    for amplitude, wave in zip(spectrum, harmonic_waves(phase, count), strict=True):
        carrier += (amplitude * wave).real
    level = np.sqrt(0.5 * np.square(np.abs(spectrum)).sum()) + 1e-30
    follows = envelope(audio, int(ENVELOPE_S * sample_rate))
    follows *= np.minimum(np.arange(len(audio)) / (RISE_S * sample_rate), 1)
    return np.asarray(carrier / level * follows, dtype=np.float32)


def harmonic_waves(phase: NDArray[np.int64], count: int) -> Iterator[NDArray[np.complex128]]:
    """exp(i k phi) of a running phase [T], for k = 1..count: [T] each."""
    fundamental = np.exp(2j * math.pi * (phase / 2.0**64))
    wave = np.ones_like(fundamental)
    for _ in range(count):
        wave = wave * fundamental
        yield wave


def mean_spectrum(audio: Audio, phase: NDArray[np.int64], count: int, frame: int) -> NDArray[np.complex128]:
    """Of each harmonic, its root mean square amplitude over frames, and the phase of its mean: [count]."""
    frame = min(frame, len(audio))
    whole = len(audio) // frame * frame
    spectrum = np.zeros(count, dtype=np.complex128)
    for k, wave in enumerate(harmonic_waves(phase[:whole], count)):
        frames = 2 * (audio[:whole] * wave.conj()).reshape(-1, frame).mean(axis=1)
        mean = frames.mean()
        spectrum[k] = np.sqrt(np.square(np.abs(frames)).mean()) * np.exp(1j * np.angle(mean))
    return spectrum


def envelope(audio: Audio, width: int) -> NDArray[np.float64]:
    """Root mean square about each sample, weighed by a Hann window of `width` samples: [T] -> [T]."""
    from scipy.signal import fftconvolve

    window = np.hanning(width + 2)[1:-1]
    power = fftconvolve(np.square(audio, dtype=np.float64), window / window.sum(), mode="same")
    return np.asarray(np.sqrt(np.maximum(power, 0.0)))
