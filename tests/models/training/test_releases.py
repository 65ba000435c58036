"""How notes end."""

import numpy as np

from ostinato.models.training.releases import SILENT_S, TAIL_S, release_curve, shape_release

RATE = 44100


def test_a_release_is_45_db_down_before_280_ms_and_silent_at_its_end() -> None:
    curve = release_curve(round(TAIL_S * RATE), RATE)
    assert curve[0] == 1
    assert 20 * np.log10(curve[int(0.28 * RATE)]) < -45
    assert np.all(curve[int(SILENT_S * RATE) + 1 :] == 0)


def test_a_release_has_no_click() -> None:
    curve = release_curve(round(TAIL_S * RATE), RATE)
    assert np.all(np.diff(curve) <= 0)
    assert np.abs(np.diff(curve)).max() < 1e-3


def test_what_comes_before_the_release_is_left_alone() -> None:
    audio = np.ones(RATE, dtype=np.float32)
    shaped = shape_release(audio, 20000, RATE)
    np.testing.assert_array_equal(shaped[:20000], audio[:20000])
    assert shaped[-1] == 0
    assert audio[-1] == 1  # the caller's is not written to
