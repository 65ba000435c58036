"""Phase tracking, on tones whose phase is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ostinato.models.training.alignment import as_fixed_point, track_phase
from ostinato.models.training.notes import Note
from tests.models.training.tones import HOP, RATE, tone


def turns_apart(phase: NDArray[np.int64], turns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance on the circle."""
    apart = phase / 2.0**64 - turns
    return np.abs(apart - np.round(apart))


@pytest.mark.parametrize("key", [60, 66.5, 84])
@pytest.mark.parametrize("start", [0.0, 0.3, 0.9])
def test_known_phase_is_recovered_from_attack_to_release(key: float, start: float) -> None:
    note = Note(key, 100, 0.0, 0.5)
    audio, turns = tone(note, 600 * HOP, start)
    apart = turns_apart(track_phase(audio, note.hertz, RATE), turns)
    assert apart[: note.held(HOP, RATE)].max() < 0.02
    assert apart.max() < 0.05  # the release too, where the fundamental is lost in the end


@pytest.mark.parametrize("cents", [-15.0, 8.0])
def test_recording_out_of_tune_is_followed(cents: float) -> None:
    audio, turns = tone(Note(69, 100, cents, 0.5), 600 * HOP)
    held = Note(69, 100, 0.0, 0.5).held(HOP, RATE)
    apart = turns_apart(track_phase(audio, 440.0, RATE), turns)
    assert apart[500 : held - 500].max() < 0.02


def test_phase_runs_on_at_nominal_frequency_through_silence() -> None:
    note = Note(72, 100, 0.0, 0.2)
    audio, turns = tone(note, 600 * HOP)
    audio[note.held(HOP, RATE) :] = 0
    assert turns_apart(track_phase(audio, note.hertz, RATE), turns)[-1000:].max() < 0.05


def test_silence_has_the_nominal_phase() -> None:
    phase = track_phase(np.zeros(1000, dtype=np.float32), 441.0, RATE)
    assert turns_apart(phase, np.arange(1000) / 100).max() < 1e-9


@given(st.floats(-1e6, 1e6))
def test_fixed_point_keeps_the_fraction_of_a_turn(turns: float) -> None:
    assert turns_apart(as_fixed_point(np.array([turns])), np.array([turns])).max() < 1e-9
