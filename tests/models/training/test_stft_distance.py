import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ostinato.models.training.measures import stft_distance

RNG = np.random.default_rng(0)
TONE = (0.3 * np.sin(2 * np.pi * 440 / 44_100 * np.arange(20_000))).astype(np.float32)


def test_a_signal_is_at_no_distance_from_itself() -> None:
    assert stft_distance(TONE, TONE) == 0


@given(st.floats(0.001, 0.3), st.floats(1.5, 4.0))
def test_more_noise_is_further_away(level: float, more: float) -> None:
    noise = RNG.standard_normal(len(TONE)).astype(np.float32)
    near, far = (stft_distance(TONE, TONE + gain * noise) for gain in (level, level * more))
    assert 0 < near < far


def test_silence_in_place_of_a_tone_is_at_full_distance_and_noticed() -> None:
    assert stft_distance(TONE, np.zeros_like(TONE)) > 1


def test_a_sound_shorter_than_a_window_is_measured_too() -> None:
    assert stft_distance(TONE[:100], TONE[:100]) == 0
    assert stft_distance(TONE[:100], np.zeros(100, dtype=np.float32)) > 0.5
