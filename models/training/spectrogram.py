"""Spectrograms as arrays of decibels: frequency in mel from 0 to 16 kHz upwards, time to the right."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ostinato.models.training.measures import Audio

DYNAMIC_RANGE_DB: Final = 80.0
ROWS: Final = 200
COLUMNS: Final = 360
HIGHEST_HZ: Final = 16000.0
TICKS_HZ: Final = (200, 500, 1000, 2000, 5000, 10000)
SHORT_FRAME: Final = 2048
LONG_FRAME: Final = 4096  # for notes whose harmonics the short one runs together
LOW_HZ: Final = 150.0
FFT: Final = 8192
KEYS: Final = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")


def spectrogram(audio: Audio, hertz: float, sample_rate: int) -> NDArray[np.float64]:
    """Power in dB of a note at `hertz` [T]: [ROWS, COLUMNS], a row of the same power for a sine of any pitch."""
    frame = SHORT_FRAME if hertz >= LOW_HZ else LONG_FRAME
    padded = np.pad(audio, frame // 2)
    starts = np.linspace(0, len(padded) - frame, COLUMNS).astype(int)
    frames = np.lib.stride_tricks.sliding_window_view(padded, frame)[starts]
    window = np.hanning(frame)
    power = np.square(np.abs(np.fft.rfft(frames * window, FFT, axis=1))) / np.square(window.sum() / 2)
    at = mel_frequencies((np.arange(ROWS) + 0.5) / ROWS) * FFT / sample_rate
    low = np.minimum(at.astype(int), power.shape[1] - 2)
    rows = power[:, low] + (at - low).clip(0, 1) * (power[:, low + 1] - power[:, low])
    return np.asarray(10 * np.log10(rows.T + 1e-20))


def top_power_db(audio: Audio, hertz: float, sample_rate: int) -> float:
    """The greatest power of a spectrogram: the top of the scale on which others are drawn beside it."""
    return float(spectrogram(audio, hertz, sample_rate).max())


def mel(hertz: float) -> float:
    """O'Shaughnessy's scale."""
    return float(2595 * np.log10(1 + hertz / 700))


def mel_position(hertz: float) -> float:
    """Where a frequency lies between the bottom, 0, and the top, 1."""
    return mel(hertz) / mel(HIGHEST_HZ)


def mel_frequencies(positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """The inverse of `mel_position`: Hz."""
    return np.asarray(700 * (10 ** (positions * mel(HIGHEST_HZ) / 2595) - 1))


def tick_name(hertz: float) -> str:
    """500, 2k."""
    return f"{hertz / 1000:g}k" if hertz >= 1000 else f"{hertz:g}"


def note_name(key: float) -> str:
    """The name of the nearest key: C4 is MIDI note 60."""
    nearest = round(key)
    return f"{KEYS[nearest % 12]}{nearest // 12 - 1}"
