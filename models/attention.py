"""Causal multi-head attention over a window of steps: for a whole sequence, and a step at a time over a ring.

    o_h(p) = sum over q in (p - window, p] of softmax_q(<R(p) q_h(p), R(q) k_g(q)> / sqrt(d)) v_g(q)

(Vaswani et al. 2017; g is the group that head h belongs to, Ainslie et al. 2023.) Positions come in by rotations R
(Su et al. 2021), so that a score depends on how far apart two steps are and not on where they stand. An angle is a
position times a whole number of 2^-32 turns, in integers that wrap as turns do: a stream may run for ever, and its
rotations stay as exact as in its first second.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

LONGEST: Final = 4  # windows that the slowest rotation takes for about a radian


@dataclass(frozen=True)
class Band:
    """How steps see each other."""

    heads: int
    kv_heads: int
    window: int  # steps, the present one the last of them

    def split(self, heard: Tensor, width: int) -> tuple[Tensor, Tensor, Tensor]:
        """Queries [..., H, d], keys and values [..., G, d] of what was heard [..., width + 2 G d]."""
        d = width // self.heads
        keys, values = heard[..., width:].chunk(2, dim=-1)
        return _parts(heard[..., :width], d), _parts(keys, d), _parts(values, d)


def _parts(channels: Tensor, width: int) -> Tensor:
    return channels.unflatten(-1, (-1, width))  # type: ignore[no-untyped-call, no-any-return]


def frequencies(pairs: int, window: int) -> list[int]:
    """How far each pair of channels turns from one step to the next: whole numbers, 2^32 a turn."""
    base = LONGEST * window
    return [round(2**32 / (2 * math.pi) * base ** (-i / pairs)) for i in range(pairs)]


def rotation(position: Tensor, width: int, window: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines of every pair of channels of a head: position int64 [...] -> two of [..., width / 2]."""
    step = torch.tensor(frequencies(width // 2, window), dtype=torch.int64, device=position.device)
    turns = (position[..., None] * step) & 0xFFFFFFFF
    angle = (turns >> 8).float() * (2 * math.pi / 2**24)  # 24 bits: float32 holds them exactly
    return angle.cos(), angle.sin()


def rotated(channels: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    """Channels [..., heads, d] turned in pairs (i, i + d / 2); cosines and sines are [..., d / 2]."""
    cosine, sine = (part[..., None, :].to(channels.dtype) for part in rotation)
    a, b = channels.chunk(2, dim=-1)
    return torch.cat((a * cosine - b * sine, a * sine + b * cosine), dim=-1)


def attend(queries: Tensor, keys: Tensor, values: Tensor, seen: Tensor) -> Tensor:
    """Queries [..., N, H, d] over keys and values [..., M, G, d], where `seen` bool [..., N, M] -> [..., N, H d]."""
    n, heads, d = queries.shape[-3:]
    groups = keys.shape[-2]
    # heads of one group lie one after another
    q = queries.unflatten(-2, (groups, heads // groups)).movedim(-4, -2)  # type: ignore[no-untyped-call] # [..., G, H/G, N, d]
    k, v = keys.movedim(-3, -2)[..., None, :, :], values.movedim(-3, -2)[..., None, :, :]  # [..., G, 1, M, d]
    scores = (q @ k.transpose(-1, -2)) / math.sqrt(d)
    weights = scores.masked_fill(~seen[..., None, None, :, :], -math.inf).softmax(dim=-1)
    said: Tensor = weights @ v  # [..., G, H/G, N, d]
    return said.movedim(-2, -4).reshape(*queries.shape[:-3], n, heads * d)


def attend_whole(queries: Tensor, keys: Tensor, values: Tensor, window: int) -> Tensor:
    """Every step of whole sequences: queries [B, S, H, d], keys and values [B, S, G, d] -> [B, S, H d].

    In stretches of a window, each over its own steps and those of the stretch before.
    """
    steps = queries.shape[1]
    window = min(window, steps)
    more = -steps % window
    q = functional.pad(queries, (0, 0, 0, 0, 0, more)).unflatten(1, (-1, window))  # type: ignore[no-untyped-call]
    k, v = (_with_the_stretch_before(part, window, more) for part in (keys, values))  # [B, C, 2 W, G, d]
    here, there = torch.arange(window, device=q.device)[:, None], torch.arange(2 * window, device=q.device)
    seen = (there > here) & (there <= here + window)  # [W, 2 W]
    begun = torch.arange(q.shape[1], device=q.device)[:, None, None] > 0
    return attend(q, k, v, seen & (begun | (there >= window))).flatten(1, 2)[:, :steps]


def _with_the_stretch_before(part: Tensor, window: int, more: int) -> Tensor:
    stretches = functional.pad(part, (0, 0, 0, 0, window, more)).unflatten(1, (-1, window))  # type: ignore[no-untyped-call]
    return torch.cat((stretches[:, :-1], stretches[:, 1:]), dim=2)


def attend_ring(queries: Tensor, keys: Tensor, values: Tensor, position: Tensor) -> Tensor:
    """One step: queries [slots, H, d], rings [slots, W, G, d] that hold it, position int64 [slots] -> [slots, H d].

    Step p lies at p mod W; what is not yet written is not seen.
    """
    written = torch.arange(keys.shape[1], device=keys.device) <= position[:, None]  # [slots, W]
    return attend(queries[:, None], keys, values, written[:, None])[:, 0]
