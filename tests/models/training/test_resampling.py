"""Resampled sound keeps its level and moves its pitch as asked."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ostinato.models.training.measures import level_db, pitch_cents
from ostinato.models.training.resampling import faster, resample

RATE = 44100


def sine(rate: int, hertz: float = 440.0) -> NDArray[np.float64]:
    return np.asarray(0.1 * np.sin(2 * np.pi * hertz * np.arange(rate) / rate))


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000, 96000])
def test_another_rate_keeps_pitch_level_and_length(rate: int) -> None:
    audio = resample(sine(rate), rate, RATE)
    assert len(audio) == pytest.approx(RATE, abs=1)
    assert pitch_cents(audio, 440.0, RATE) == pytest.approx(0, abs=0.2)
    assert level_db(audio[2000:-2000]) == pytest.approx(-23.0, abs=0.05)


@pytest.mark.parametrize("cents", [-60.0, -11.3, 0.0, 42.0])
def test_faster_is_higher_and_shorter(cents: float) -> None:
    audio = faster(sine(RATE).astype(np.float32), cents)
    assert pitch_cents(audio, 440.0, RATE) == pytest.approx(cents, abs=0.2)
    assert len(audio) == pytest.approx(RATE / 2 ** (cents / 1200), abs=2)
