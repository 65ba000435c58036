"""Held and bent notes: how far they stray is told."""

import numpy as np
import pytest

from ostinato.models.registry import load
from ostinato.models.sampling.choose import open_sampler
from ostinato.models.training import steadiness as steady
from ostinato.models.training.notes import Note
from tests.models.training.cases import FLUTE, GUITAR
from tests.models.training.tones import RATE

NOTE = Note(69, 100, 0.0, 1.6)


def held(seconds: float, slope_db_per_s: float = 0.0, cents_per_s: float = 0.0) -> steady.Held:
    t = np.arange(int(seconds * RATE)) / RATE
    turns = np.cumsum(NOTE.hertz * 2 ** (cents_per_s * t / 1200)) / RATE
    audio = 0.2 * np.cos(2 * np.pi * turns) * 10 ** (slope_db_per_s * t / 20)
    return steady.steadiness(NOTE, audio.astype(np.float32), RATE)


def test_a_tone_that_stays_is_steady() -> None:
    found = held(6.0)
    assert found.level_range_db < 0.01
    assert abs(found.drift_db) < 0.01
    assert abs(found.pitch_cents) < 0.1
    assert len(found.levels_dbfs) == 5


@pytest.mark.parametrize("slope", [-0.5, 0.5])
def test_a_level_that_drifts_is_told(slope: float) -> None:
    found = held(6.0, slope_db_per_s=slope)
    assert found.level_range_db == pytest.approx(2, abs=0.05)  # 5 windows, a second apart
    assert found.drift_db == pytest.approx(4 * slope, abs=0.05)


def test_a_pitch_that_drifts_is_told_where_it_is_farthest_off() -> None:
    assert held(6.0, cents_per_s=-3.0).pitch_cents == pytest.approx(-3 * 5.5, abs=0.5)


def test_each_note_is_bent_both_ways_and_never_let_go() -> None:
    sampler, _ = open_sampler(load("tiny"), slots=4)
    bent = steady.measure_bends(sampler, [NOTE, Note(60, 90, 0.0, 0.2)], [FLUTE, GUITAR], temperature=0.5, seed=0)
    assert [(b.note.key, b.asked_cents) for b in bent] == [(69, -200), (69, 200), (60, -200), (60, 200)]
    assert all(np.isfinite(b.error_cents) for b in bent)
    frames = steady.held_frames(sampler, Note(60, 90, 0.0, 0.01), 0.1, temperature=0.5)
    assert (frames[:, 2] == 1).all()
    assert (frames[:, 4] == 0).all()
