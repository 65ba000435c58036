"""Counter-based uniforms: a function of (voice key, sample since reset, draw) and nothing else.

Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"). The counter of a draw is
(sample low, sample high, draw // 4, purpose); its four words serve four draws. No state is kept, so a stream can
be cut, resumed, or moved to another slot, and draws the same noise.

One body serves numpy int64 arrays and torch int64 tensors: 32-bit words are kept in 64-bit integers, whose
products wrap, and masks undo the sign. The native kernel has its own copy, tested against this one.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

MASK: Final = 0xFFFFFFFF
MULTIPLIERS: Final = (0xD2511F53, 0xCD9E8D57)
WEYL: Final = (0x9E3779B9, 0xBB67AE85)

PURPOSE_SAMPLE: Final = 0  # the draws of the head
PURPOSE_PHASE: Final = 1  # where a voice's excitation starts
PURPOSE_KEY: Final = 2  # a session's voice keys
PURPOSE_PROPOSAL: Final = 3  # what a draft proposes, and whether it is taken
PURPOSE_RESIDUAL: Final = 4  # what is drawn where it is not
PURPOSE_LATENT: Final = 5  # a hop's latents, by its first sample

# numpy array or torch tensor of int64; the two share these operators but no nominal type
Words = Any


def philox4x32(
    counter: tuple[Words, Words, Words, Words], key: tuple[Words, Words]
) -> tuple[Words, Words, Words, Words]:
    """Ten rounds of Philox 4x32 over words of [0, 2^32) in int64; shapes broadcast."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        p0, p1 = c0 * MULTIPLIERS[0], c2 * MULTIPLIERS[1]
        c0, c1, c2, c3 = (
            ((p1 >> 32) & MASK) ^ c1 ^ k0,
            p1 & MASK,
            ((p0 >> 32) & MASK) ^ c3 ^ k1,
            p0 & MASK,
        )
        k0, k1 = (k0 + WEYL[0]) & MASK, (k1 + WEYL[1]) & MASK
    return c0, c1, c2, c3


def words_of(key: Words, sample: Words, block: Words, purpose: int) -> tuple[Words, Words, Words, Words]:
    """Four 32-bit words for a 64-bit key and sample number, both as int64; shapes broadcast."""
    zero = (key ^ key) + (sample ^ sample) + (block ^ block)  # int64 zeros of the broadcast shape
    counter = (zero + (sample & MASK), zero + ((sample >> 32) & MASK), zero + block, zero + purpose)
    return philox4x32(counter, ((key & MASK) + zero, ((key >> 32) & MASK) + zero))


def as_int64(value: int) -> int:
    """The signed 64-bit integer with the same bits as an unsigned one."""
    value &= 0xFFFFFFFFFFFFFFFF
    return value - (1 << 64) if value >> 63 else value


def uniform(word: Words) -> Words:
    """A 32-bit word as a float64 in (0, 1) that float32 holds exactly: (top 23 bits + 1/2) / 2^23."""
    return ((word >> 9) + 0.5) * 2.0**-23


def uniforms(key: int, first_sample: int, samples: int, draws: int) -> NDArray[np.float32]:
    """Uniforms of consecutive samples of one voice: float32 [samples, draws] in (0, 1)."""
    sample = (np.arange(samples, dtype=np.int64) + first_sample)[:, None]
    blocks = np.arange((draws + 3) // 4, dtype=np.int64)[None, :]
    words = np.stack(words_of(np.full((1, 1), as_int64(key)), sample, blocks, PURPOSE_SAMPLE), axis=-1)
    flat = words.reshape(samples, -1)[:, :draws]
    return np.asarray(uniform(flat), dtype=np.float32)


def _word_pair(key: int, index: int, purpose: int) -> int:
    low, high, _, _ = words_of(
        np.full(1, as_int64(key)), np.full(1, as_int64(index)), np.zeros(1, dtype=np.int64), purpose
    )
    return int(low[0]) | int(high[0]) << 32


def phase_start(key: int) -> int:
    """Where the excitation of a voice starts: unsigned 64-bit, a full turn being 2^64."""
    return _word_pair(key, 0, PURPOSE_PHASE)


def voice_key(seed: int, ordinal: int) -> int:
    """The unsigned 64-bit key of a session's `ordinal`-th voice."""
    return _word_pair(seed, ordinal, PURPOSE_KEY)
