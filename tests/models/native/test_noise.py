"""Philox gives the same words from numpy, torch and C++."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.models import noise
from ostinato.models.native import _kernel

WORDS = st.integers(0, 2**64 - 1)


@settings(max_examples=50, deadline=None)
@given(key=WORDS, first=st.integers(0, 2**62), block=st.integers(0, 2**31), purpose=st.integers(0, 2))
def test_words_are_the_same_three_times(key: int, first: int, block: int, purpose: int) -> None:
    native = np.empty((5, 4), dtype=np.uint32)
    _kernel.philox(key, first, block, purpose, native)
    samples = np.arange(5, dtype=np.int64) + first
    keys, blocks = np.full(5, noise.as_int64(key)), np.full(5, block, dtype=np.int64)
    from_numpy = np.stack(noise.words_of(keys, samples, blocks, purpose), axis=-1)
    in_torch = [torch.from_numpy(a) for a in (keys, samples, blocks)]
    from_torch = torch.stack(noise.words_of(in_torch[0], in_torch[1], in_torch[2], purpose), dim=-1).numpy()
    np.testing.assert_array_equal(native, from_numpy)
    np.testing.assert_array_equal(native, from_torch)


def test_known_answer() -> None:
    """Of the Random123 distribution: all-zero counter and key, philox4x32-10."""
    native = np.empty((1, 4), dtype=np.uint32)
    _kernel.philox(0, 0, 0, 0, native)
    assert [f"{word:08x}" for word in native[0]] == ["6627e8d5", "e169c58d", "bc57ac4c", "9b00dbd8"]


@given(word=st.integers(0, 2**32 - 1))
def test_uniforms_are_the_same_and_open(word: int) -> None:
    assert _kernel.uniform(word) == noise.uniform(word)
    assert 0 < _kernel.uniform(word) < 1


@settings(max_examples=50, deadline=None)
@given(key=WORDS, ordinal=st.integers(0, 2**31))
def test_phase_starts_and_voice_keys_are_the_same(key: int, ordinal: int) -> None:
    assert _kernel.phase_start(key) == noise.phase_start(key)
    assert _kernel.voice_key(key, ordinal) == noise.voice_key(key, ordinal)
