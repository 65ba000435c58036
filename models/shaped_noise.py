"""White noise through a filter that is stated once a hop, by its log-spectrum.

    log S(w) = 2 (g + sum over k of c_k cos(k w))

(Bloomfield 1973, "An exponential model for the spectrum of a scalar time series".) The c_k are the cepstrum of the
minimum-phase filter of that spectrum, whose impulse response follows by recursion (Oppenheim and Schafer 1989,
equation 12.61):

    h_0 = 1,  n h_n = sum over k = 1..n of k c_k h_{n-k}

So whatever is stated is a spectrum, and its logarithm is linear in what states it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ostinato.models.tone import glide


def log_spectrum(cepstrum: Tensor, window: int) -> Tensor:
    """Natural log of the power at frequencies 0..window / 2 of `window`: cepstrum [..., C] -> [..., window // 2 + 1].

    Of the filter of gain 1, g = 0.
    """
    k = torch.arange(1, cepstrum.shape[-1] + 1, device=cepstrum.device)
    j = torch.arange(window // 2 + 1, device=cepstrum.device)
    return 2 * cepstrum @ torch.cos(2 * math.pi / window * (k[:, None] * j % window)).to(cepstrum.dtype)


def impulse_response(cepstrum: Tensor, taps: int) -> Tensor:
    """Of the minimum-phase filter of gain 1: cepstrum c_1..c_C [..., C] -> h_0..h_{taps - 1} [..., taps]."""
    count = cepstrum.shape[-1]
    slopes = cepstrum * torch.arange(1, count + 1, device=cepstrum.device)  # k c_k
    response = cepstrum.new_zeros(*cepstrum.shape[:-1], taps)
    response[..., 0] = 1
    for n in range(1, taps):
        reach = min(n, count)
        before = response[..., n - reach : n].flip(-1)  # h_{n-1}, h_{n-2}, ...
        response[..., n] = (slopes[..., :reach] * before).sum(-1) / n
    return response


def shaped(noise: Tensor, before: Tensor, now: Tensor) -> Tensor:
    """Noise of a hop through filters at its two ends [..., taps], gliding from the one to the other: [..., hop].

    noise [..., taps - 1 + hop]: the hop's own, and what preceded it.
    """
    taps = now.shape[-1]
    windows = noise.unfold(-1, taps, 1).flip(-1)  # [..., hop, taps], the newest sample first
    both = windows @ torch.stack((before, now), dim=-1)  # [..., hop, 2]
    there = glide(windows.shape[-2], noise.device)
    return both[..., 0] * (1 - there) + both[..., 1] * there
