"""Pitch and level, where they are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ostinato.models.training.pitch import track_pitch

RATE = 44100


def partials(hertz: NDArray[np.float64], level: float = 0.2) -> NDArray[np.float32]:
    """Six harmonics of a pitch that may move: float32 [T]."""
    phase = 2 * np.pi * np.cumsum(hertz) / RATE
    return np.asarray(sum(level / k * np.cos(k * phase + k) for k in range(1, 7)), dtype=np.float32)


def steady(hertz: float, seconds: float = 0.3) -> NDArray[np.float32]:
    return partials(np.full(round(seconds * RATE), hertz))


def cents(heard: NDArray[np.float64], hertz: float) -> NDArray[np.float64]:
    return np.asarray(1200 * np.log2(heard / hertz))


@settings(max_examples=20, deadline=None)
@given(st.floats(40.0, 2500.0), st.floats(0.0, 0.01))
def test_pitch_is_found_within_a_few_cents_under_noise(hertz: float, noise: float) -> None:
    audio = steady(hertz) + np.random.default_rng(0).normal(0, noise, round(0.3 * RATE)).astype(np.float32)
    track = track_pitch(audio, RATE)
    inner = slice(track.frame(4000), track.frame(len(audio) - 4000))
    assert np.abs(cents(track.hertz[inner], hertz)).max() < 10
    assert track.aperiodicity[inner].max() < 0.1


def test_a_weak_fundamental_is_still_the_pitch() -> None:
    t = 2 * np.pi * 220 * np.arange(RATE // 2) / RATE
    audio = (0.01 * np.cos(t) + 0.2 * np.cos(2 * t) + 0.2 * np.cos(3 * t)).astype(np.float32)
    assert np.median(track_pitch(audio, RATE).hertz) == pytest.approx(220, rel=0.005)


def test_vibrato_is_followed() -> None:
    t = np.arange(RATE) / RATE
    hertz = 440 * 2 ** (30 / 1200 * np.sin(2 * np.pi * 5.5 * t))
    track = track_pitch(partials(hertz), RATE)
    inner = slice(20, -20)
    wanted = hertz[np.minimum(np.arange(len(track.hertz)) * track.hop, RATE - 1)]
    assert np.abs(1200 * np.log2(track.hertz / wanted))[inner].max() < 15


def test_noise_and_silence_have_no_pitch() -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, RATE // 2).astype(np.float32)
    assert np.median(track_pitch(noise, RATE).aperiodicity) > 0.4
    assert track_pitch(np.zeros(RATE // 2, dtype=np.float32), RATE).aperiodicity.min() == 1


def test_level_is_that_of_a_sine_and_silence_has_a_floor() -> None:
    sine = (0.1 * np.sin(2 * np.pi * 441 * np.arange(RATE) / RATE)).astype(np.float32)
    track = track_pitch(np.concatenate((sine, np.zeros(RATE, dtype=np.float32))), RATE)
    assert track.level_db[track.frame(RATE // 2)] == pytest.approx(-23.0, abs=0.1)
    assert track.level_db[-1] == -120


@pytest.mark.parametrize("samples", [1, 100, 3000])
def test_short_sounds_have_a_track_too(samples: int) -> None:
    track = track_pitch(np.ones(samples, dtype=np.float32), RATE)
    assert len(track.hertz) == len(track.level_db) == 1 + samples // track.hop
