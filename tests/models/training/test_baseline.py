"""The baseline: a tone of fixed colour comes back as it was, and what it can't hold is lost."""

import numpy as np
import pytest

from ostinato.models.training import measures
from ostinato.models.training.alignment import as_fixed_point
from ostinato.models.training.baseline import envelope, resynthesise
from ostinato.models.training.notes import Note
from tests.models.training.tones import HOP, RATE, tone

STRETCH = slice(4410, 35280)


def test_a_tone_of_fixed_colour_comes_back() -> None:
    note = Note(69, 100, 0.0, 0.8)
    audio, turns = tone(note, 900 * HOP)
    again = resynthesise(audio, as_fixed_point(turns), note.hertz, STRETCH, RATE)
    assert again.shape == audio.shape
    error = measures.level_db((again - audio)[STRETCH]) - measures.level_db(audio[STRETCH])
    assert error < -40
    assert measures.log_mel_distance_db(audio, again, RATE) < 3


def test_noise_is_not_in_it_but_the_level_is() -> None:
    note = Note(57, 100, 0.0, 0.8)
    audio, turns = tone(note, 900 * HOP)
    noisy = audio + np.random.default_rng(0).normal(0, 0.05, len(audio)).astype(np.float32)
    again = resynthesise(noisy, as_fixed_point(turns), note.hertz, STRETCH, RATE)
    ratio = [measures.harmonic_to_noise_db(a[STRETCH], note.hertz, RATE) for a in (noisy, again)]
    assert ratio[1] > ratio[0] + 15
    assert measures.level_db(again[STRETCH]) == pytest.approx(measures.level_db(noisy[STRETCH]), abs=0.3)


def test_silence_stays_silent() -> None:
    silence = np.zeros(900 * HOP, dtype=np.float32)
    assert np.abs(resynthesise(silence, np.zeros(900 * HOP, dtype=np.int64), 440.0, STRETCH, RATE)).max() == 0


def test_the_envelope_of_a_sine_is_its_root_mean_square() -> None:
    sine = np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE).astype(np.float32)
    np.testing.assert_allclose(envelope(sine, 882)[2000:-2000], 0.5**0.5, rtol=0.01)
