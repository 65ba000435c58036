"""How a note sounds, in figures. All take float audio [T] and work offline in numpy.

Each is a measure of one signal, or of two of the same length; which notes and which stretches of them are
measured is `evaluation`'s business.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

Audio = NDArray[np.float32]

SILENCE_DB: Final = -100.0

PITCH_RANGE_CENTS: Final = 600.0
PITCH_HARMONICS: Final = 8
COMPRESSION: Final = 0.5  # of magnitudes, so that one strong partial does not decide the pitch alone

FRAME_SAMPLES: Final = 8192
FRAME_PERIODS: Final = 20  # of a low note, so that a harmonic's lobe leaves half of its cell to the noise
LOBE_BINS: Final = 4  # half the main lobe of a Blackman-Harris window
VIBRATO: Final = 0.009  # of a harmonic's frequency: how far vibrato of 15 cents spreads it
HIGHEST_SHARE: Final = 0.45  # of the sample rate

MEL_BANDS: Final = 80
MEL_FLOOR_DB: Final = -80.0

RESOLUTIONS: Final = ((512, 50, 240), (1024, 120, 600), (2048, 240, 1200))  # frame, step, window, in samples
MAGNITUDE_FLOOR: Final = 1e-4


def level_db(audio: Audio) -> float:
    """Root mean square against full scale."""
    mean_square = float(np.mean(np.square(audio, dtype=np.float64))) if len(audio) else 0.0
    return max(float(10 * np.log10(mean_square + 1e-30)), SILENCE_DB)


def pitch_cents(audio: Audio, hertz: float, sample_rate: int) -> float:
    """How far the pitch lies from `hertz`: where the sum over its harmonics is greatest, to a fraction of a cent.

    Harmonic summation after Hermes 1988, over compressed magnitudes of one long Hann window, within
    `PITCH_RANGE_CENTS` on either side.
    """
    size = 1 << int(np.ceil(np.log2(len(audio) * 8)))
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio)), size)) ** COMPRESSION
    cents = np.arange(-PITCH_RANGE_CENTS, PITCH_RANGE_CENTS + 1)
    k = np.arange(1, PITCH_HARMONICS + 1)
    k = k[k * hertz * 2 ** (PITCH_RANGE_CENTS / 1200) < sample_rate / 2]
    bins = np.outer(hertz * 2 ** (cents / 1200), k) * size / sample_rate
    total = np.interp(bins, np.arange(len(spectrum)), spectrum).sum(axis=1)
    return float(cents[0] + peak_position(total))


def peak_position(values: NDArray[np.float64]) -> float:
    """The index of the greatest value, refined by the parabola through it and its neighbours."""
    i = int(np.argmax(values))
    if not 0 < i < len(values) - 1:
        return float(i)
    before, at, after = values[i - 1 : i + 2]
    bend = before - 2 * at + after
    return i + (float((before - after) / (2 * bend)) if bend else 0.0)


def power_spectrum(audio: Audio, size: int = FRAME_SAMPLES) -> NDArray[np.float64]:
    """Mean power of Blackman-Harris frames that overlap by three quarters: [size / 2 + 1]."""
    if len(audio) < size:
        audio = np.pad(audio, (0, size - len(audio)))
    frames = np.lib.stride_tricks.sliding_window_view(audio, size)[:: max(size // 4, 1)]
    turn = 2 * np.pi * np.arange(size) / size
    window = 0.35875 - 0.48829 * np.cos(turn) + 0.14128 * np.cos(2 * turn) - 0.01168 * np.cos(3 * turn)
    power = np.square(np.abs(np.fft.rfft(frames * window, axis=1))).mean(axis=0)
    return np.asarray(power, dtype=np.float64)


def frame_samples(hertz: float, samples: int, sample_rate: int) -> int:
    """The length of a frame that tells the harmonics of `hertz` apart, no longer than what there is."""
    periods = math.ceil(FRAME_PERIODS * sample_rate / hertz / 2) * 2
    return min(max(FRAME_SAMPLES, periods), max(samples // 2 * 2, 2))


def harmonic_to_noise_db(audio: Audio, hertz: float, sample_rate: int) -> float:
    """The power at the harmonics of `hertz` against all the rest.

    The spectrum is cut into cells of one harmonic each. In a cell, what lies outside the harmonic's lobe is noise,
    and as much per bin is taken to lie under the lobe too. Right within 1 dB from 40 Hz to 2 kHz, also under vibrato
    of 15 cents and in notes that decay, from `FRAME_PERIODS` periods on; partials that aren't harmonic are noise.
    """
    size = frame_samples(hertz, len(audio), sample_rate)
    power, width = power_spectrum(audio, size), sample_rate / size
    harmonic = noise = 0.0
    for k in range(1, int(HIGHEST_SHARE * sample_rate / hertz) + 1):
        low, high = (math.ceil((k + side) * hertz / width) for side in (-0.5, 0.5))
        cell = power[low:high]
        away = np.abs(np.arange(low, high) * width - k * hertz)
        lobe = away <= min(LOBE_BINS * width + VIBRATO * k * hertz, 0.4 * hertz)
        if not len(cell) or lobe.all():  # a note too short to tell
            continue
        density = float(cell[~lobe].mean())
        noise += density * len(cell)
        harmonic += max(float(cell[lobe].sum()) - density * int(lobe.sum()), 0.0)
    return float(10 * np.log10((harmonic + 1e-30) / (noise + 1e-30)))


def log_mel(audio: Audio, sample_rate: int, size: int = 2048, step: int = 512) -> NDArray[np.float64]:
    """Levels of mel bands from 40 Hz to 16 kHz, in dB, held above `MEL_FLOOR_DB`: [frames, MEL_BANDS]."""
    padded = np.pad(audio, (0, max(size - len(audio), 0)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::step]
    window = np.hanning(size)
    power = np.square(np.abs(np.fft.rfft(frames * window, axis=1))) / np.sum(window) ** 2 * 2
    bands = power @ mel_filters(size, sample_rate).T
    return np.asarray(np.maximum(10 * np.log10(bands + 1e-30), MEL_FLOOR_DB))


@lru_cache
def mel_filters(size: int, sample_rate: int) -> NDArray[np.float64]:
    """Triangles evenly spaced in mel (O'Shaughnessy's 2595 log10(1 + f / 700)): [MEL_BANDS, size / 2 + 1]."""
    low, high = (2595 * np.log10(1 + f / 700) for f in (40.0, min(16000.0, sample_rate / 2)))
    edges = 700 * (10 ** (np.linspace(low, high, MEL_BANDS + 2) / 2595) - 1)
    frequency = np.arange(size // 2 + 1) * sample_rate / size
    rise = (frequency - edges[:-2, None]) / np.diff(edges)[:-1, None]
    fall = (edges[2:, None] - frequency) / np.diff(edges)[1:, None]
    return np.asarray(np.clip(np.minimum(rise, fall), 0, None))


def log_mel_distance_db(a: Audio, b: Audio, sample_rate: int) -> float:
    """Mean over frames of the root mean square difference over mel bands, over what both are long."""
    both = min(len(a), len(b))
    difference = log_mel(a[:both], sample_rate) - log_mel(b[:both], sample_rate)
    return float(np.sqrt(np.square(difference).mean(axis=1)).mean())


def stft_distance(recording: Audio, other: Audio) -> float:
    """The multi-resolution STFT distance of Yamamoto et al. 2020 (equations 3 to 6) of two signals of one length.

    Of each of `RESOLUTIONS` the spectral convergence, |M - M'| / |M| of the magnitudes M, and the mean difference of
    their natural logarithms; the mean of the sums.
    """
    total = 0.0
    for size, step, width in RESOLUTIONS:
        own, theirs = (_magnitudes(audio, size, step, width) for audio in (recording, other))
        apart = float(np.linalg.norm(own - theirs) / (np.linalg.norm(own) + MAGNITUDE_FLOOR))
        total += apart + float(np.abs(np.log(own + MAGNITUDE_FLOOR) - np.log(theirs + MAGNITUDE_FLOOR)).mean())
    return total / len(RESOLUTIONS)


def _magnitudes(audio: Audio, size: int, step: int, width: int) -> NDArray[np.float64]:
    """Of Hann windows: [frames, size / 2 + 1]."""
    padded = np.pad(audio, (0, max(width - len(audio), 0)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, width)[::step]
    return np.asarray(np.abs(np.fft.rfft(frames * np.hanning(width), size, axis=1)))
