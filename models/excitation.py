"""Harmonics of a running phase, and pre-emphasis with its inverse.

The phase is a 64-bit fixed-point accumulator (a full turn is 2^64, held in int64 whose sums and products wrap), so
it never drifts and the phase of harmonic k is exactly k times it. Pitch is thereby exact by construction: the
network learns the waveform given the phase, and noise.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

AUDIBLE: Final = 0.45  # harmonics above this share of the sample rate are silent
HIGHEST: Final = 0.49  # of the sample rate: where the fundamental is held


def frequency(note: Tensor, sample_rate: int) -> Tensor:
    """Hz, float64, of MIDI notes (fractions allowed), held below half the sample rate."""
    hertz = 440.0 * torch.exp2((note.double() - 69.0) / 12.0)
    return hertz.clamp(max=HIGHEST * sample_rate)


def increment(note: Tensor, sample_rate: int) -> Tensor:
    """The phase step per sample of MIDI notes: int64, 2^64 a turn."""
    return (frequency(note, sample_rate) / sample_rate * 2.0**64).long()


def running_phase(start: Tensor, note: Tensor, hop: int, sample_rate: int) -> Tensor:
    """The phase at each sample: start int64 [B], note per hop [B, F] -> int64 [B, F * hop]."""
    steps = increment(note, sample_rate).repeat_interleave(hop, dim=1)  # [B, T]
    return start[:, None] + steps.cumsum(dim=1) - steps


def harmonics(phase: Tensor, note: Tensor, count: int, sample_rate: int) -> Tensor:
    """sin(k phi) for k = 1..count, then cos(k phi): phase int64 [...], note [...] -> float32 [..., 2 count].

    Zero where k times the note's frequency lies above `AUDIBLE` of the sample rate. A note may have 1 where the phase
    has more.
    """
    k = torch.arange(1, count + 1, device=phase.device, dtype=torch.int32)
    turns = (phase >> 32).to(torch.int32)[..., None] * k  # 2^32 a turn, and wraps as the phase does
    angle = (turns >> 8).float() * (2.0 * math.pi / 2**24)  # 24 bits: float32 holds them exactly
    audible = k * frequency(note, sample_rate)[..., None] <= AUDIBLE * sample_rate
    return torch.cat((angle.sin() * audible, angle.cos() * audible), dim=-1)


def lowest(waves: Tensor, count: int) -> Tensor:
    """The first `count` harmonics of waves [..., 2 N]: sines, then cosines [..., 2 count]."""
    every = waves.shape[-1] // 2
    return torch.cat((waves[..., :count], waves[..., every : every + count]), dim=-1) if count < every else waves


def emphasise(samples: Tensor, coefficient: float) -> Tensor:
    """y[t] = x[t] - a x[t-1], x[-1] = 0, along the last axis."""
    return samples - coefficient * torch.nn.functional.pad(samples, (1, 0))[..., :-1]


def de_emphasise(samples: Tensor, coefficient: float) -> Tensor:
    """The inverse of `emphasise`: x[t] = y[t] + a x[t-1], x[-1] = 0, along the last axis."""
    last = torch.zeros_like(samples[..., 0])
    out = torch.empty_like(samples)
    for t in range(samples.shape[-1]):
        last = samples[..., t] + coefficient * last
        out[..., t] = last
    return out
