"""Pitch and level of a recording over time, by YIN.

De Cheveigné and Kawahara, "YIN, a fundamental frequency estimator for speech and music", JASA 111(4), 2002: the
difference function over a window, normalised by its cumulative mean, and the first dip below a threshold. A model
with no octave to choose from is what single notes need; it errs by a few cents, which `alignment` then mends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

LOWEST_HZ: Final = 36.0  # below E1; two periods fit into the window
HIGHEST_HZ: Final = 6000.0  # far enough above C8 that what lies beyond it is known for that
WINDOW_S: Final = 0.046
HOP_S: Final = 0.005
LEVEL_S: Final = 0.02
DIP: Final = 0.12  # the paper's absolute threshold
FLOOR_DB: Final = -120.0
FRAMES_AT_ONCE: Final = 256

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PitchTrack:
    """What is heard around each frame; frame i is centred at sample i * hop."""

    hertz: Array  # [N]
    aperiodicity: Array  # [N], 0 for an exactly periodic sound, about 1 for noise
    level_db: Array  # [N], RMS against full scale
    hop: int  # samples

    def frame(self, sample: int) -> int:
        """The frame nearest to a sample."""
        return min(max(round(sample / self.hop), 0), len(self.hertz) - 1)


def track_pitch(audio: NDArray[np.float32], sample_rate: int) -> PitchTrack:
    """Pitch, aperiodicity and level each `HOP_S`: audio [T] -> [N], N = 1 + T // hop."""
    hop, window = round(HOP_S * sample_rate), round(WINDOW_S * sample_rate)
    longest = int(sample_rate / LOWEST_HZ) + 2
    shortest = int(sample_rate / HIGHEST_HZ)
    count = 1 + len(audio) // hop
    before = (window + longest) // 2
    padded = np.pad(audio.astype(np.float64), (before, before + window + longest))
    hertz, aperiodicity = np.empty(count), np.empty(count)
    for first in range(0, count, FRAMES_AT_ONCE):
        frames = np.arange(first, min(first + FRAMES_AT_ONCE, count))
        cut = padded[frames[:, None] * hop + np.arange(window + longest)]
        normal = normalised_difference(cut, window, longest)
        lag, aperiodicity[frames] = first_dip(normal, shortest)
        hertz[frames] = sample_rate / lag
    return PitchTrack(hertz, aperiodicity, level_track(audio, sample_rate, hop, count), hop)


def normalised_difference(frames: Array, window: int, longest: int) -> Array:
    """The cumulative-mean-normalised difference (equation 8): [N, window + longest] -> [N, longest], from lag 0."""
    size = 1 << (window + longest - 1).bit_length()
    whole = np.fft.rfft(frames, size)
    start = np.fft.rfft(frames[:, :window], size)
    correlation = np.fft.irfft(whole * start.conj(), size)[:, :longest]
    energy = np.cumsum(np.pad(frames**2, ((0, 0), (1, 0))), axis=1)
    windows = energy[:, window : window + longest] - energy[:, :longest]
    difference = np.maximum(windows[:, :1] + windows - 2 * correlation, 0.0)
    lags = np.arange(1, longest)
    mean = np.cumsum(difference[:, 1:], axis=1) / lags
    normal = np.ones_like(difference)
    np.divide(difference[:, 1:], mean, out=normal[:, 1:], where=mean > 1e-12)
    return normal


def first_dip(normal: Array, shortest: int) -> tuple[Array, Array]:
    """The lag of the first dip below `DIP` (else of the deepest), between samples, and how deep it is: [N] each."""
    inner = normal[:, shortest:-1]
    dips = (inner <= normal[:, shortest - 1 : -2]) & (inner < normal[:, shortest + 1 :])
    low = dips & (inner < DIP)
    place = shortest + np.where(low.any(axis=1), np.argmax(low, axis=1), np.argmin(inner, axis=1))
    rows = np.arange(len(normal))
    left, middle, right = (normal[rows, place + step] for step in (-1, 0, 1))
    bend = left - 2 * middle + right
    shift = np.divide(0.5 * (left - right), bend, out=np.zeros_like(bend), where=bend > 1e-12)
    return place + np.clip(shift, -0.5, 0.5), middle


def level_track(audio: NDArray[np.float32], sample_rate: int, hop: int, count: int) -> Array:
    """RMS in dB against full scale, in windows of `LEVEL_S` about each frame: [count]."""
    half = round(LEVEL_S * sample_rate / 2)
    energy = np.concatenate(([0.0], np.cumsum(np.square(audio, dtype=np.float64))))
    centres = np.arange(count) * hop
    low, high = np.clip(centres - half, 0, len(audio)), np.clip(centres + half, 0, len(audio))
    power = (energy[high] - energy[low]) / np.maximum(high - low, 1)
    return np.asarray(np.maximum(10 * np.log10(np.maximum(power, 1e-30)), FLOOR_DB))
