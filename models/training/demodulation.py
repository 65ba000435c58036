"""What a recording's harmonics do over time: the levels and phases that the tone is to state.

Each harmonic is brought down to 0 Hz by the recording's own tracked phase and averaged by a window of a few periods,
long enough to keep its neighbours out: first by one of a few hops, so that none of them is folded back by the hop.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

from ostinato.models.excitation import AUDIBLE

PERIODS: Final = 6.0  # in a window
SHORTEST: Final = 5  # hops in a window
FIRST: Final = 6  # hops in the window before it
SILENT: Final = -14.0  # natural log of the faintest level that is told from silence


def demodulate(samples: Tensor, phase: Tensor, hertz: float, count: int, *, hop: int, sample_rate: int) -> Tensor:
    """Complex amplitude of harmonics 1..count around the end of each hop: complex64 [T / hop, count].

    samples float32 [T] in the model's own domain, phase int64 [T] with 2^64 a turn; a harmonic of amplitude A and
    phase theta, A cos(k phi + theta), gives A exp(i theta). Those above the audible share of the sample rate are 0.
    """
    angle = (phase >> 32).float() * (2 * math.pi / 2**32)
    turn = torch.polar(torch.ones_like(angle), -angle)  # [T]
    beaten = samples.to(torch.complex64)
    means = beaten.new_zeros(count, len(samples) // hop)
    for k in range(1, count + 1):
        beaten = beaten * turn
        if k * hertz <= AUDIBLE * sample_rate:
            means[k - 1] = torch.complex(_thinned(beaten.real, hop), _thinned(beaten.imag, hop))
    share = _thinned(torch.ones_like(angle), hop)
    return 2 * smoothed(means, share, hertz, hop=hop, sample_rate=sample_rate).T


def smoothed(means: Tensor, share: Tensor, hertz: float, *, hop: int, sample_rate: int) -> Tensor:
    """Averages by a Hann window about each hop's end, over the `share` [F] that there is: complex [K, F] -> [K, F]."""
    width = max(SHORTEST, 2 * round(PERIODS * sample_rate / hertz / hop / 2) - 1)
    window = torch.hann_window(width + 2, periodic=False, device=means.device)[1:-1]

    def over(rows: Tensor) -> Tensor:
        return torch.nn.functional.conv1d(rows[:, None], window[None, None], padding=width // 2)[:, 0]

    whole = over(share[None])
    return torch.complex(over(means.real) / whole, over(means.imag) / whole)


def _thinned(samples: Tensor, hop: int) -> Tensor:
    """Averages by a Hann window of `FIRST` hops about each hop's end, silence beyond the ends: [T] -> [T / hop]."""
    window = torch.hann_window(FIRST * hop, device=samples.device)
    padded = torch.nn.functional.pad(samples, ((FIRST // 2 - 1) * hop, FIRST // 2 * hop))
    return padded.unfold(0, FIRST * hop, hop) @ (window / window.sum())
