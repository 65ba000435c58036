"""Noise is a function of (key, sample, draw), the same from numpy and torch."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ostinato.models import noise

KEYS = st.integers(0, 2**64 - 1)


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_gives_the_published_known_answers(
    counter: tuple[int, ...], key: tuple[int, ...], words: tuple[int, ...]
) -> None:
    arrays = [np.array([c], dtype=np.int64) for c in counter]
    keys = [np.array([k], dtype=np.int64) for k in key]
    found = noise.philox4x32((arrays[0], arrays[1], arrays[2], arrays[3]), (keys[0], keys[1]))
    assert tuple(int(w[0]) for w in found) == words


@given(KEYS, st.integers(0, 2**40), st.integers(1, 9))
def test_torch_and_numpy_draw_the_same_bits(key: int, first: int, draws: int) -> None:
    expected = noise.uniforms(key, first, 5, draws)
    sample = torch.arange(5)[:, None] + first
    block = torch.arange((draws + 3) // 4)[None, :]
    words = noise.words_of(torch.tensor([[noise.as_int64(key)]]), sample, block, noise.PURPOSE_SAMPLE)
    flat = torch.stack(words, dim=-1).reshape(5, -1)[:, :draws]
    assert np.array_equal(noise.uniform(flat).to(torch.float32).numpy(), expected)


@given(KEYS, st.integers(0, 2**33), st.integers(1, 20))
def test_noise_does_not_depend_on_where_a_stream_is_cut(key: int, first: int, cut: int) -> None:
    whole = noise.uniforms(key, first, 24, 2)
    parts = noise.uniforms(key, first, cut, 2), noise.uniforms(key, first + cut, 24 - cut, 2)
    assert np.array_equal(np.concatenate(parts), whole)


def test_uniforms_lie_strictly_between_0_and_1() -> None:
    edges = np.array([0, 0xFFFFFFFF], dtype=np.int64)
    found = np.asarray(noise.uniform(edges), dtype=np.float32)
    assert 0.0 < found[0] < found[1] < 1.0


def test_uniforms_are_uniform_and_their_draws_uncorrelated() -> None:
    drawn = noise.uniforms(7, 0, 100_000, 2).astype(np.float64)
    counts = np.histogram(drawn[:, 0], bins=64, range=(0, 1))[0]
    chi_squared = float(((counts - 100_000 / 64) ** 2 / (100_000 / 64)).sum())
    assert chi_squared < 115  # 63 degrees of freedom, p = 1e-4
    assert abs(correlation(drawn[:, 0], drawn[:, 1])) < 0.015
    assert abs(correlation(drawn[1:, 0], drawn[:-1, 0])) < 0.015


def correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).mean() / (a.std() * b.std()))


@given(KEYS)
def test_the_voices_of_a_session_share_neither_key_nor_phase(seed: int) -> None:
    keys = [noise.voice_key(seed, n) for n in range(8)]
    assert len(set(keys)) == 8
    assert len({noise.phase_start(key) for key in keys}) == 8
