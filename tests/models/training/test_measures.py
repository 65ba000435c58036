"""Measures, on signals whose figures are known."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ostinato.models.training import measures

RATE = 44100


def partials(phase: NDArray[np.float64], level: float = 0.1) -> NDArray[np.float32]:
    """Four harmonics of a running phase, in radians."""
    wave = np.zeros(len(phase))
    for k in (1, 2, 3, 4):
        wave += level / k * np.cos(k * phase + k)
    return wave.astype(np.float32)


def harmonics(hertz: float) -> NDArray[np.float32]:
    """A second of a steady tone."""
    return partials(2 * np.pi * hertz / RATE * np.arange(RATE, dtype=np.float64))


def noise(power: float, samples: int = 44100) -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(0, power**0.5, samples).astype(np.float32)


@pytest.mark.parametrize("hertz", [261.63, 440.0, 1046.5])
@pytest.mark.parametrize("cents", [-200.0, -7.3, 0.0, 0.4, 31.0, 200.0])
def test_pitch_is_found_to_a_fifth_of_a_cent(hertz: float, cents: float) -> None:
    assert measures.pitch_cents(harmonics(hertz * 2 ** (cents / 1200)), hertz, RATE) == pytest.approx(cents, abs=0.2)


def test_pitch_is_found_under_noise() -> None:
    audio = harmonics(440.0) + noise(1e-4)
    assert measures.pitch_cents(audio, 440.0, RATE) == pytest.approx(0, abs=1)


@pytest.mark.parametrize("hertz", [261.63, 523.25, 1046.5])
@pytest.mark.parametrize("ratio_db", [5.0, 20.0, 35.0])
def test_harmonic_to_noise_ratio_is_what_was_mixed(hertz: float, ratio_db: float) -> None:
    tone = harmonics(hertz)
    white = noise(float(np.mean(np.square(tone))) / 10 ** (ratio_db / 10))
    assert measures.harmonic_to_noise_db(tone + white, hertz, RATE) == pytest.approx(ratio_db, abs=0.7)


def test_vibrato_is_not_noise() -> None:
    t = np.arange(44100) / RATE
    phase = 2 * np.pi * 440 * t + 0.2 * np.sin(2 * np.pi * 5 * t)
    assert measures.harmonic_to_noise_db(partials(phase), 440.0, RATE) > 40


def sawtooth(hertz: float, vibrato_cents: float = 0.0, decay_db_per_s: float = 0.0) -> NDArray[np.float64]:
    """1.2 s of many harmonics, that fall by 9 dB an octave."""
    t = np.arange(int(1.2 * RATE)) / RATE
    deviation = hertz * (2 ** (vibrato_cents / 1200) - 1)
    phase = 2 * np.pi * hertz * t + deviation / 5.5 * np.sin(2 * np.pi * 5.5 * t)
    wave = np.zeros(len(t))
    for k in range(1, min(int(0.45 * RATE / hertz), 48) + 1):
        wave += 0.1 * k**-1.5 * np.cos(k * phase + k * k)
    return np.asarray(wave * 10 ** (-decay_db_per_s * t / 20))


@pytest.mark.parametrize("hertz", [40.0, 65.4, 110.0, 261.63, 698.5, 2000.0])
@pytest.mark.parametrize(("vibrato", "decay"), [(0.0, 0.0), (15.0, 0.0), (0.0, 20.0), (0.0, 120.0)])
@pytest.mark.parametrize("ratio_db", [10.0, 25.0])
def test_low_notes_vibrato_and_decay_leave_the_ratio_what_was_mixed(
    hertz: float, vibrato: float, decay: float, ratio_db: float
) -> None:
    tone = sawtooth(hertz, vibrato, decay)
    hiss = noise(1.0, len(tone)) * 10 ** (-decay * np.arange(len(tone)) / RATE / 20)
    hiss *= np.sqrt(np.mean(np.square(tone)) / np.mean(np.square(hiss)) / 10 ** (ratio_db / 10))
    mixed = (tone + hiss).astype(np.float32)
    assert measures.harmonic_to_noise_db(mixed, hertz, RATE) == pytest.approx(ratio_db, abs=1.2)


def test_a_note_too_short_to_tell_has_a_ratio_all_the_same() -> None:
    assert np.isfinite(measures.harmonic_to_noise_db(harmonics(261.63)[:500], 261.63, RATE))
    assert np.isfinite(measures.harmonic_to_noise_db(np.zeros(1, dtype=np.float32), 261.63, RATE))


@pytest.mark.parametrize("amplitude", [1.0, 0.1, 0.001])
def test_level_of_a_sine(amplitude: float) -> None:
    sine = (amplitude * np.sin(2 * np.pi * 441 * np.arange(44100) / RATE)).astype(np.float32)
    assert measures.level_db(sine) == pytest.approx(20 * np.log10(amplitude) - 3.01, abs=0.01)


def test_level_of_silence_is_a_floor() -> None:
    assert measures.level_db(np.zeros(100, dtype=np.float32)) == measures.SILENCE_DB
    assert measures.level_db(np.zeros(0, dtype=np.float32)) == measures.SILENCE_DB


def test_log_mel_distance_of_a_gain_is_that_gain() -> None:
    audio = noise(0.01)
    assert measures.log_mel_distance_db(audio, audio, RATE) == 0
    assert measures.log_mel_distance_db(audio, audio * np.float32(0.5), RATE) == pytest.approx(6.02, abs=0.01)


def test_log_mel_distance_is_over_what_both_are_long() -> None:
    audio = noise(0.01)
    assert measures.log_mel_distance_db(audio, audio[:20000], RATE) == 0


def test_log_mel_puts_a_sine_into_its_band_at_its_level() -> None:
    sine = np.sin(2 * np.pi * 1000 * np.arange(8192) / RATE).astype(np.float32)
    bands = measures.log_mel(sine, RATE).mean(axis=0)
    low, high = (2595 * np.log10(1 + f / 700) for f in (40.0, 16000.0))
    centre = low + (int(np.argmax(bands)) + 1) * (high - low) / (measures.MEL_BANDS + 1)
    assert 700 * (10 ** (centre / 2595) - 1) == pytest.approx(1000, rel=0.05)
    assert bands.max() == pytest.approx(-3, abs=3)
