"""Mixing: sums in row order, one voice untouched, more through the limiter."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.models.native.mix import mix_voices


def noise(n: int, samples: int, size: float = 1.0) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return (np.random.default_rng(n).standard_normal((n, samples)) * size).astype(np.float32)


def test_no_voice_is_silence() -> None:
    assert not mix_voices(np.empty((0, 8), np.float32), np.empty(0, np.float32)).any()


def test_one_voice_is_only_held() -> None:
    voices = noise(1, 500)
    expected = np.clip(voices[0] * np.float32(0.7), -1, 1)
    np.testing.assert_array_equal(mix_voices(voices, np.array([0.7], np.float32)), expected)


@settings(max_examples=30, deadline=None)
@given(n=st.integers(2, 8), each=st.booleans())
def test_quiet_voices_are_summed_in_order(n: int, each: bool) -> None:
    voices = noise(n, 333, 0.02)
    gains = np.abs(noise(n, 333, 0.5)) if each else np.abs(noise(n, 1, 0.5)[:, 0])
    total = np.zeros(333, np.float32)
    for row in range(n):
        total = total + voices[row] * gains[row]
    assert np.abs(total).max() <= 0.9
    np.testing.assert_array_equal(mix_voices(voices, gains), total)


def test_loud_voices_bend_at_the_knee() -> None:
    x = np.linspace(-4, 4, 2001, dtype=np.float32)
    voices = np.stack((x, np.zeros_like(x)))
    out = mix_voices(voices, np.ones(2, np.float32))
    over = np.maximum(np.abs(x.astype(np.float64)) - 0.9, 0) / 0.1
    expected = np.where(over > 0, np.sign(x) * (0.9 + 0.1 * np.tanh(over)), x)
    np.testing.assert_allclose(out, expected, atol=1e-7)
    assert np.abs(out).max() <= 1
    assert (np.diff(out) >= 0).all()


def test_memoryless_and_written_in_place() -> None:
    voices, gains, out = noise(3, 128), np.ones(3, np.float32), np.empty(128, np.float32)
    assert mix_voices(voices, gains, out) is out
    halves = [mix_voices(np.ascontiguousarray(part), gains) for part in (voices[:, :50], voices[:, 50:])]
    np.testing.assert_array_equal(out, np.concatenate(halves))


def test_refusals() -> None:
    voices, gains = noise(2, 10), np.ones(2, np.float32)
    with pytest.raises(TypeError):
        mix_voices(voices.astype(np.float64), gains)
    with pytest.raises(TypeError):
        mix_voices(voices[:, ::2], gains)
    with pytest.raises(ValueError, match="gains"):
        mix_voices(voices, np.ones(3, np.float32))
    with pytest.raises(ValueError, match="gains"):
        mix_voices(voices, np.ones((2, 9), np.float32))
    with pytest.raises(ValueError, match="out"):
        mix_voices(voices, gains, np.empty(9, np.float32))
