"""A recording without its vibrato: every harmonic a line, the noise as it was."""

import numpy as np
import pytest

from ostinato.models.training.alignment import as_fixed_point
from ostinato.models.training.measures import harmonic_to_noise_db, pitch_cents
from ostinato.models.training.straightening import straighten
from tests.models.training.cases import noise_of
from tests.models.training.tones import RATE

SAMPLES = int(1.2 * RATE)


@pytest.mark.parametrize("hertz", [65.4, 261.6, 1046.5])
@pytest.mark.parametrize("vibrato", [0.0, 15.0, 35.0])
def test_vibrato_however_wide_is_taken_out_and_noise_is_kept(hertz: float, vibrato: float) -> None:
    t = np.arange(SAMPLES) / RATE
    cents = 20 + vibrato * np.sin(2 * np.pi * 5.5 * t)
    turns = np.cumsum(hertz * 2 ** (cents / 1200)) / RATE
    wave = sum(0.1 * k**-1.5 * np.cos(2 * np.pi * k * turns + k * k) for k in range(1, min(40, int(16000 / hertz)) + 1))
    noise = noise_of(SAMPLES, float(10 * np.log10(np.mean(np.square(wave)))) - 30)
    straight, pitch = straighten((wave + noise).astype(np.float32), as_fixed_point(turns), RATE)
    assert straight.shape == (SAMPLES,)
    assert 1200 * np.log2(pitch / hertz) == pytest.approx(20, abs=2)
    assert pitch_cents(straight, pitch, RATE) == pytest.approx(0, abs=0.2)
    assert harmonic_to_noise_db(straight, pitch, RATE) == pytest.approx(30, abs=1.2)


def test_a_phase_that_stands_still_changes_nothing() -> None:
    audio = noise_of(1000, -20.0)
    same, pitch = straighten(audio, np.zeros(1000, dtype=np.int64), RATE)
    assert same is audio
    assert pitch == 0
