"""The running phase keeps exact pitch for ever, and pre-emphasis can be undone."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ostinato.models import excitation, noise

RATE = 44100


def test_the_phase_does_not_drift_over_an_hour() -> None:
    note = torch.tensor([[60.0]])
    step = int(excitation.increment(note, RATE)[0, 0])
    hours = (step * RATE * 3600) % 2**64 / 2**64
    exact = 440.0 * 2.0 ** (-9 / 12) * 3600 % 1.0
    assert abs((hours - exact + 0.5) % 1 - 0.5) < 1e-6  # of a turn


@given(st.floats(30, 100), st.integers(0, 2**64 - 1))
def test_the_fundamental_is_a_sine_of_the_notes_frequency(note: float, start: int) -> None:
    notes = torch.full((1, 8), note)
    phase = excitation.running_phase(torch.tensor([noise.as_int64(start)]), notes, 64, RATE)
    wave = excitation.harmonics(phase, notes.repeat_interleave(64, 1), 2, RATE)[0].numpy()
    turns = start / 2**64 + np.arange(512) * 440 * 2 ** ((float(np.float32(note)) - 69) / 12) / RATE
    assert np.abs(wave[:, 0] - np.sin(2 * np.pi * turns)).max() < 2e-6
    assert np.abs(wave[:, 3] - np.cos(4 * np.pi * turns)).max() < 2e-6


def test_harmonics_above_the_audible_share_are_silent() -> None:
    note = torch.tensor([100.0])  # 2637 Hz: the seventh lies at 18.5 kHz, the eighth at 21.1 kHz
    wave = excitation.harmonics(torch.tensor([12345 << 40]), note, 8, RATE)[0]
    assert torch.equal(wave[[7, 15]], torch.zeros(2))
    assert (wave[[6, 14]] != 0).all()


def test_a_bend_changes_the_pitch_without_a_jump_in_phase() -> None:
    notes = torch.tensor([[60.0, 62.0]])
    phase = excitation.running_phase(torch.tensor([0]), notes, 64, RATE)[0]
    step = excitation.increment(notes, RATE)[0]
    assert int(phase[64] - phase[63]) == int(step[0])
    assert int(phase[65] - phase[64]) == int(step[1])


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=64), st.floats(0, 0.99))
def test_de_emphasis_undoes_emphasis(samples: list[float], coefficient: float) -> None:
    x = torch.tensor(samples, dtype=torch.float64)
    back = excitation.de_emphasise(excitation.emphasise(x, coefficient), coefficient)
    assert torch.allclose(back, x, atol=1e-12)


def test_a_note_above_half_the_sample_rate_is_held_below_it() -> None:
    assert excitation.frequency(torch.tensor(151.0), RATE).item() == pytest.approx(0.49 * RATE)
