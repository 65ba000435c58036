"""Clicks: samples that nothing before them leads up to, where a note begins, is let go, ends, or passes a block border.

A note is whitened by linear prediction, so that a discontinuity too small for the waveform's eye stands out of what is
left (Godsill and Rayner 1998, "Digital Audio Restoration", chapter 5). The greatest residual at a place is held
against the greatest of each of its neighbours: 0 dB where nothing happens, whatever the tone, as the pulses of a reed
are in every window. An onset or a release has a transient of its own, so that what counts is how far a model's
exceeds its recording's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ostinato.models.training.measures import Audio

ORDER: Final = 32
FLOOR_DB: Final = -60.0  # of the note's power, white, added to it: what lies below is not worth whitening
WINDOW_S: Final = 0.005
WINDOW_PERIODS: Final = 1.5  # a window holds a whole period of the tone
NEIGHBOURS: Final = 8  # windows on either side
SILENCE: Final = 1e-4  # -80 dBFS: a residual below it is not heard


@dataclass(frozen=True)
class Clicks:
    """How far the residual stands out at each place, in dB above its neighbours."""

    onset_db: float
    release_db: float
    end_db: float  # where the voice ends and silence begins
    border_db: float  # mean power next to the borders of hops, against the median place within a hop


def find_clicks(
    audio: Audio, *, hertz: float, stretch: slice, release: int, end: int, hop: int, sample_rate: int
) -> Clicks:
    """Measure a note [T] that begins at 0, is let go at `release`, and is cut off at `end` (samples).

    `stretch` is where it sounds at its fullest: there it is predicted from, and the borders of hops are looked at.
    """
    coefficients = prediction(audio[stretch])
    window = int(max(WINDOW_S, WINDOW_PERIODS / hertz) * sample_rate)
    residual = whiten(audio, coefficients)
    cut = whiten(np.pad(audio[:end], (0, window)), coefficients)
    return Clicks(
        onset_db=prominence_db(residual, 0, window),
        release_db=prominence_db(residual, release, window),
        end_db=prominence_db(cut[: end + window // 2], end, window),
        border_db=border_db(residual[-(-stretch.start // hop) * hop : stretch.stop], hop),
    )


def prediction(audio: Audio, order: int = ORDER) -> NDArray[np.float64]:
    """The filter that whitens a signal, by the autocorrelation method: [1 + order], the first of them 1."""
    from scipy.linalg import solve_toeplitz

    size = 1 << int(np.ceil(np.log2(2 * max(len(audio), order + 1))))
    spectrum = np.fft.rfft(audio * np.hanning(len(audio)), size)
    correlation = np.fft.irfft(np.square(np.abs(spectrum)))[: order + 1]
    correlation[0] = correlation[0] * (1 + 10 ** (FLOOR_DB / 10)) + 1e-20
    return np.concatenate(([1.0], -solve_toeplitz(correlation[:-1], correlation[1:])))


def whiten(audio: Audio, coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
    """What prediction does not explain of each sample: [T] -> [T]."""
    from scipy.signal import lfilter

    return np.asarray(lfilter(coefficients, [1.0], audio.astype(np.float64)))


def prominence_db(residual: NDArray[np.float64], at: int, window: int) -> float:
    """The greatest residual of the window about `at` against the median of its neighbours' greatest."""
    start = max(at - window // 2, 0)
    here = np.abs(residual[start : start + window]).max(initial=0.0)
    starts = [start + i * window for i in range(-NEIGHBOURS, NEIGHBOURS + 1) if i]
    around = [np.abs(residual[s : s + window]).max() for s in starts if s >= 0 and s + window <= len(residual)]
    usual = float(np.median(around)) if around else 0.0
    return float(20 * np.log10(max(here, SILENCE) / max(usual, SILENCE)))


def border_db(residual: NDArray[np.float64], hop: int) -> float:
    """Mean power of the samples at a hop's border, the greatest of the first two and the last, against the median."""
    hops = len(residual) // hop
    if not hops:
        return 0.0
    power = np.square(residual[: hops * hop]).reshape(hops, hop).mean(axis=0) + SILENCE**2 / 100
    return float(10 * np.log10(power[[0, min(1, hop - 1), -1]].max() / np.median(power)))
