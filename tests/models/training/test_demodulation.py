"""Levels and phases of harmonics, where they are known."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ostinato.models.excitation import AUDIBLE
from ostinato.models.training.alignment import as_fixed_point, nominal_turns
from ostinato.models.training.demodulation import PERIODS, demodulate
from tests.models.training.tones import HOP, RATE

HOPS = 400
MIDDLE = slice(150, 250)  # no window there reaches over an end, from 40 Hz up
COUNT = 8
LEVEL_DB = 0.5
PHASE = math.radians(4)
PITCHES = st.floats(40.0, 2000.0)


def cosines(hertz: float, levels: NDArray[np.float64], phases: NDArray[np.float64]) -> NDArray[np.float64]:
    """Harmonics 1, 2, ... of a steady pitch, of these amplitudes and phases: those that are audible."""
    turns = nominal_turns(HOPS * HOP, hertz, RATE)
    wave = np.zeros(HOPS * HOP)
    for k, (level, phase) in enumerate(zip(levels, phases, strict=True), start=1):
        if k * hertz <= AUDIBLE * RATE:
            wave += level * np.cos(2 * np.pi * k * turns + phase)
    return wave


def heard(wave: NDArray[np.float64], hertz: float, count: int = COUNT) -> NDArray[np.complex64]:
    """What is found of the harmonics: [HOPS, count]."""
    phase = as_fixed_point(nominal_turns(len(wave), hertz, RATE))
    samples = torch.from_numpy(wave.astype(np.float32))
    found = demodulate(samples, torch.from_numpy(phase), hertz, count, hop=HOP, sample_rate=RATE)
    assert found.dtype == torch.complex64
    return np.asarray(found.numpy())


def decibels(level: NDArray[np.float32] | NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(20 * np.log10(np.maximum(level, 1e-12)), dtype=np.float64)


def turned(a: NDArray[np.floating]) -> NDArray[np.float64]:
    """Angles within half a turn of 0."""
    return np.asarray(np.angle(np.exp(1j * a)), dtype=np.float64)


@settings(max_examples=40, deadline=None)
@given(hertz=PITCHES, count=st.integers(1, COUNT), seed=st.integers(0, 2**32 - 1))
def test_harmonics_of_like_levels_are_found(hertz: float, count: int, seed: int) -> None:
    """Whatever the pitch; the neighbours that a window lets through are what it can be off by."""
    rng = np.random.default_rng(seed)
    levels, phases = 0.1 * 10 ** (rng.uniform(-3, 3, count) / 20), rng.uniform(-np.pi, np.pi, count)
    found = heard(cosines(hertz, levels, phases), hertz, count)[MIDDLE]
    audible = np.arange(1, count + 1) * hertz <= AUDIBLE * RATE
    assert np.abs(decibels(np.abs(found)) - decibels(levels))[:, audible].max() < LEVEL_DB
    assert np.abs(turned(np.angle(found) - phases))[:, audible].max() < PHASE
    assert not found[:, ~audible].any()


@settings(max_examples=40, deadline=None)
@given(hertz=PITCHES, k=st.integers(1, COUNT), level_db=st.floats(-80.0, 0.0), phase=st.floats(-math.pi, math.pi))
def test_a_harmonic_alone_is_found_as_it_is(hertz: float, k: int, level_db: float, phase: float) -> None:
    level = 10 ** (level_db / 20)
    levels, phases = (np.where(np.arange(1, COUNT + 1) == k, value, 0.0) for value in (level, phase))
    found = heard(cosines(hertz, levels, phases), hertz)[MIDDLE, k - 1]
    if k * hertz > AUDIBLE * RATE:
        assert not found.any()
        return
    assert np.abs(decibels(np.abs(found)) - level_db).max() < 0.5
    assert np.abs(turned(np.angle(found) - phase)).max() < math.radians(3)


@settings(max_examples=40, deadline=None)
@given(hertz=PITCHES, k=st.integers(1, COUNT))
def test_little_of_a_harmonic_is_found_in_its_neighbours(hertz: float, k: int) -> None:
    levels = np.where(np.arange(1, COUNT + 1) == k, 1.0, 0.0)
    found = np.abs(heard(cosines(hertz, levels, np.zeros(COUNT)), hertz))[MIDDLE]
    assert decibels(np.delete(found, k - 1, axis=1)).max() < -50


@pytest.mark.parametrize("hertz", [55.0, 65.4, 82.4, 220.0, 600.0, 1350.0])
def test_harmonics_are_found_beside_ones_40_db_louder(hertz: float) -> None:
    levels, phases = np.array([1.0, 0.01, 1.0, 0.01]), np.array([0.3, -2.0, 1.0, 2.5])
    found = heard(cosines(hertz, levels, phases), hertz, 4)[MIDDLE]
    assert np.abs(decibels(np.abs(found)) - decibels(levels)).max() < 2
    assert np.abs(turned(np.angle(found) - phases)).max() < math.radians(12)


@pytest.mark.parametrize("hertz", [110.0, 440.0, 1760.0])
@pytest.mark.parametrize("db_per_s", [-20.0, -60.0, 30.0])
def test_a_level_is_followed_as_it_falls_or_rises(hertz: float, db_per_s: float) -> None:
    t = np.arange(HOPS * HOP) / RATE
    wave = cosines(hertz, np.array([0.1]), np.array([0.5])) * 10 ** (db_per_s * t / 20)
    found = heard(wave, hertz, 1)[MIDDLE, 0]
    ends = (np.arange(HOPS) + 1)[MIDDLE] * HOP / RATE
    expected = -20.0 + db_per_s * ends
    assert np.abs(decibels(np.abs(found)) - expected).max() < 0.5
    assert np.abs(turned(np.angle(found) - 0.5)).max() < math.radians(3)


@pytest.mark.parametrize("hertz", [110.0, 440.0, 1760.0])
def test_nothing_is_heard_before_an_onset_but_what_its_window_reaches(hertz: float) -> None:
    wave, onset = cosines(hertz, np.array([0.1]), np.array([0.0])), HOPS // 2
    wave[: onset * HOP] = 0
    found = np.abs(heard(wave, hertz, 1))[:, 0]
    half = max(8, PERIODS * RATE / hertz / HOP) / 2 + 1
    assert found[: int(onset - half) - 1].max() < 1e-6
    np.testing.assert_allclose(found[int(onset + half) + 1 : -1], 0.1, rtol=0.06)


def test_a_steady_tone_is_as_loud_at_the_ends_of_a_recording_as_within() -> None:
    found = np.abs(heard(cosines(220.0, np.array([0.1]), np.array([0.0])), 220.0, 1))[:, 0]
    np.testing.assert_allclose(found, 0.1, rtol=0.1)


def test_silence_gives_silence() -> None:
    assert not heard(np.zeros(HOPS * HOP), 440.0).any()


def test_of_no_harmonics_nothing_is_found() -> None:
    assert heard(np.zeros(HOPS * HOP), 440.0, 0).shape == (HOPS, 0)
