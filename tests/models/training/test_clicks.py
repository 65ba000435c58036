"""Clicks: one of known size is found where it was planted, and clean notes have none."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ostinato.models.training.clicks import Clicks, border_db, find_clicks, prediction, whiten
from tests.models.training.tones import HOP, RATE

HELD, END = 48000 // HOP * HOP, 70000
LIMIT_DB = 6.0


def note(hertz: float = 440.0, noise_db: float = -50.0, seed: int = 0, harmonics: int = 12) -> NDArray[np.float32]:
    """A tone that rises in 30 ms, is held with a little noise, and is let go: silent after 80 ms, without a corner."""
    t = np.arange(END + 4000) / RATE
    wave = np.zeros(len(t))
    for k in range(1, harmonics + 1):
        wave += 0.2 / k * np.cos(2 * np.pi * k * hertz * t + k * k)
    wave += np.random.default_rng(seed).normal(0, 10 ** (noise_db / 20), len(t))
    rise = np.sin(np.pi / 2 * np.minimum(t / 0.03, 1)) ** 2
    fall = np.cos(np.pi / 2 * np.clip((t - HELD / RATE) / 0.08, 0, 1)) ** 2
    return np.asarray(wave * rise * fall, dtype=np.float32)


def clicks_of(audio: NDArray[np.float32], hertz: float = 440.0) -> Clicks:
    return find_clicks(audio, hertz=hertz, stretch=slice(13230, HELD), release=HELD, end=END, hop=HOP, sample_rate=RATE)


@settings(max_examples=25, deadline=None)
@given(
    st.floats(65.0, 2000.0),
    st.floats(-70.0, -25.0),
    st.integers(0, 2**32 - 1),
    st.integers(1, 20),
)
def test_a_clean_note_has_none(hertz: float, noise_db: float, seed: int, harmonics: int) -> None:
    found = clicks_of(note(hertz, noise_db, seed, harmonics), hertz)
    assert found.onset_db < LIMIT_DB
    assert found.release_db < LIMIT_DB
    assert found.end_db < LIMIT_DB
    assert found.border_db < 1.5


@pytest.mark.parametrize("hertz", [65.4, 261.6, 1046.5])
@pytest.mark.parametrize("below_peak_db", [10.0, 20.0])
def test_a_planted_step_is_found_where_it_is(hertz: float, below_peak_db: float) -> None:
    clean = note(hertz, noise_db=-65.0)
    step = np.float32(np.abs(clean).max() * 10 ** (-below_peak_db / 20))
    for place, at in (("onset_db", 0), ("release_db", HELD)):
        clicking = clean.copy()
        clicking[at : at + 2000] += step * np.linspace(1, 0, 2000, dtype=np.float32)
        found = clicks_of(clicking, hertz)
        assert getattr(found, place) > LIMIT_DB
        others = {"onset_db", "release_db", "end_db"} - {place}
        assert all(getattr(found, other) < LIMIT_DB for other in others)


def test_a_note_cut_off_while_it_sounds_clicks_at_its_end() -> None:
    t = np.arange(END) / RATE
    sounding = (0.05 * np.sin(2 * np.pi * 440 * t) + np.random.default_rng(0).normal(0, 1e-4, END)).astype(np.float32)
    end = END - 25  # not where it passes through zero
    cut = find_clicks(
        sounding, hertz=440.0, stretch=slice(13230, HELD), release=HELD, end=end, hop=HOP, sample_rate=RATE
    )
    assert cut.end_db > 20
    assert clicks_of(note()).end_db < LIMIT_DB


@pytest.mark.parametrize("hertz", [65.4, 261.6, 1046.5])
def test_steps_at_every_hop_are_found_among_louder_sound(hertz: float) -> None:
    clean = note(hertz, noise_db=-50.0)
    stepped = clean.copy()
    stepped[: HELD // HOP * HOP : HOP] += np.float32(10 ** (-35 / 20))
    assert clicks_of(clean, hertz).border_db < 0.5
    assert clicks_of(stepped, hertz).border_db > 3


def test_what_is_not_heard_is_no_click() -> None:
    silent = np.zeros(END + 4000, dtype=np.float32)
    silent[HELD] = 5e-5
    assert clicks_of(silent) == Clicks(0.0, 0.0, 0.0, clicks_of(silent).border_db)
    assert abs(clicks_of(silent).border_db) < 0.01


def test_prediction_explains_the_tone_and_leaves_the_noise() -> None:
    audio = note(noise_db=-50.0)
    residual = whiten(audio, prediction(audio[13230:HELD]))
    assert np.square(residual[13230:HELD]).mean() < np.square(audio[13230:HELD]).mean() / 100


def test_a_stretch_shorter_than_a_hop_has_no_borders() -> None:
    assert border_db(np.ones(HOP - 1), HOP) == 0
