"""What a recording's harmonics do over time: the levels and phases that the tone is to state.

Each harmonic is brought down to 0 Hz by the recording's own tracked phase and averaged by a window of a few periods,
long enough to keep its neighbours out.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

from ostinato.models.excitation import AUDIBLE

PERIODS: Final = 6.0  # in a window
SHORTEST: Final = 8  # hops in a window
SILENT: Final = -14.0  # natural log of the faintest level that is told from silence


def demodulate(samples: Tensor, phase: Tensor, hertz: float, count: int, *, hop: int, sample_rate: int) -> Tensor:
    """Complex amplitude of harmonics 1..count around the end of each hop: complex64 [T / hop, count].

    samples float32 [T] in the model's own domain, phase int64 [T] with 2^64 a turn; a harmonic of amplitude A and
    phase theta, A cos(k phi + theta), gives A exp(i theta). Those above the audible share of the sample rate are 0.
    """
    angle = (phase >> 32).float() * (2 * math.pi / 2**32)
    turn = torch.polar(torch.ones_like(angle), -angle)  # [T]
    beaten = samples.to(torch.complex64)
    sums = beaten.new_zeros(count, len(samples) // hop)
    for k in range(1, count + 1):
        beaten = beaten * turn
        if k * hertz <= AUDIBLE * sample_rate:
            sums[k - 1] = beaten.reshape(-1, hop).mean(dim=1)
    return 2 * smoothed(sums, hertz, hop=hop, sample_rate=sample_rate).T


def smoothed(means: Tensor, hertz: float, *, hop: int, sample_rate: int) -> Tensor:
    """Averages by a Hann window about the end of each hop, of the hops that there are: complex [K, F] -> [K, F]."""
    width = max(SHORTEST, 2 * round(PERIODS * sample_rate / hertz / hop / 2))
    window = torch.hann_window(width + 2, periodic=False, device=means.device)[1:-1]
    left, right = width // 2 - 1, width // 2  # as many hops up to this one's end as behind it

    def over(rows: Tensor) -> Tensor:
        padded = torch.nn.functional.pad(rows, (left, right))
        return torch.nn.functional.conv1d(padded[:, None], window[None, None])[:, 0]

    share = over(torch.ones_like(means.real[:1]))
    return torch.complex(over(means.real) / share, over(means.imag) / share)
