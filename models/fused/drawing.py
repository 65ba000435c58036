# ruff: noqa: ANN001, ANN201, N803 -- Triton has no types; its compile-time constants are in capitals
"""The kernel's noise, and what a head's parameters and noise make: the draws of `models/noise.py` and `heads.py`."""

import triton
import triton.language as tl


@triton.jit
def uniforms(key, clock):
    """Two draws of a sample, as `models/noise.py`: key int64 [B], clock int64 [B] -> float32 [B] in (0, 1), twice."""
    low, high = clock.to(tl.uint32), (clock >> 32).to(tl.uint32)
    zero = tl.zeros_like(low)
    first, second, _, _ = tl.philox(key, low, high, zero, zero)
    scale: tl.constexpr = 2.0**-23
    return ((first >> 9).to(tl.float32) + 0.5) * scale, ((second >> 9).to(tl.float32) + 0.5) * scale


@triton.jit
def category(logits, uniform, temperature, COUNT: tl.constexpr, WIDTH: tl.constexpr):
    """Index drawn from softmax(logits / temperature), as `models/heads.py`: [B, WIDTH], [B], [B] -> int32 [B]."""
    logits = tl.where(tl.arange(0, WIDTH)[None, :] < COUNT, logits, -float("inf"))
    scaled = (logits - tl.max(logits, axis=1)[:, None]) / tl.maximum(temperature, 1e-4)[:, None]
    cumulative = tl.cumsum(tl.exp(scaled), axis=1)
    below = cumulative <= (uniform * tl.max(cumulative, axis=1))[:, None]
    return tl.minimum(tl.sum(below.to(tl.int32), axis=1), COUNT - 1)


@triton.jit
def draw(first, means, log_scales, u0, u1, temperature, HEAD: tl.constexpr, COUNT: tl.constexpr,
         WIDTH: tl.constexpr, AMPLITUDE: tl.constexpr, LEAST: tl.constexpr, LOG_LEVELS: tl.constexpr):  # fmt: skip
    """One sample of each stream in the model's domain from its head's parts, each [B, WIDTH] -> [B]."""
    if HEAD == "mu_law":
        index = category(first, u0, temperature, COUNT, WIDTH)
        companded = 2.0 * index.to(tl.float32) / (COUNT - 1) - 1.0
        size = (tl.exp(tl.abs(companded) * LOG_LEVELS) - 1.0) / (COUNT - 1)
        sample = tl.where(companded < 0, -size, size)
    else:
        if HEAD == "logistics":
            chosen = category(first, u0, temperature, COUNT, WIDTH)
            spread = tl.log(u1) - tl.log(1.0 - u1)
        else:
            chosen = tl.zeros_like(u0).to(tl.int32)
            spread = tl.sqrt(-2.0 * tl.log(u0)) * tl.cos(6.283185307179586 * u1)
        here = tl.arange(0, WIDTH)[None, :] == chosen[:, None]
        mean = tl.sum(tl.where(here, means, 0.0), axis=1)
        log_scale = tl.maximum(tl.sum(tl.where(here, log_scales, 0.0), axis=1), LEAST)
        sample = mean + tl.exp(log_scale) * temperature * spread
        if HEAD == "logistics":  # the nearest 16-bit level
            top: tl.constexpr = AMPLITUDE - 2.0**-15
            sample = tl.floor(tl.minimum(tl.maximum(sample, -AMPLITUDE), top) * 32768.0 + 0.5) / 32768.0
        else:
            sample = tl.minimum(tl.maximum(sample, -AMPLITUDE), AMPLITUDE)
    return sample
