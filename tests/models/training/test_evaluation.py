"""A note beside its recording: figures are right where the answer is known."""

import numpy as np
import pytest

from ostinato.models.training import measures
from ostinato.models.training.evaluation import baseline, measure_case, measure_note
from tests.models.training.cases import GUITAR, case_of, noise_of, recording
from tests.models.training.tones import RATE


def test_a_recording_measured_against_itself_is_perfect() -> None:
    itself = recording()
    figures = measure_note(case_of(itself), itself.audio)
    assert figures.pitch_cents == pytest.approx(0, abs=0.2)
    assert figures.level_db == 0
    assert figures.log_mel_db == 0
    assert abs(figures.hnr_short_db) < 3
    assert figures.after_release_db < -80
    for click in (figures.onset_click_db, figures.release_click_db, figures.border_click_db):
        assert click <= 0


def test_pitch_and_level_errors_are_told() -> None:
    figures = measure_note(case_of(recording()), recording(cents=12.0, level=0.1).audio)
    assert figures.pitch_cents == pytest.approx(12, abs=0.2)
    assert figures.level_db == pytest.approx(-6.02, abs=0.05)


def test_noise_falls_short_and_purity_exceeds() -> None:
    pure = recording()
    noisy = pure.audio + noise_of(len(pure.audio), -40.0)
    assert measure_note(case_of(pure), noisy).hnr_short_db > 20
    other = type(pure)(pure.note, noisy, pure.phase, pure.frames, pure.release)
    assert measure_note(case_of(other), pure.audio).hnr_short_db < -20


def test_a_recording_out_of_tune_is_not_taken_for_noise() -> None:
    asked, sharp = recording(), recording(cents=30.0)
    sharp.audio[:] += noise_of(len(sharp.audio), -60.0)
    mistuned = type(asked)(asked.note, sharp.audio, sharp.phase, asked.frames, asked.release)
    figures = measure_note(case_of(mistuned), asked.audio + noise_of(len(asked.audio), -60.0))
    assert figures.recording_pitch_cents == pytest.approx(30, abs=0.5)
    assert figures.hnr_short_db == pytest.approx(0, abs=0.5)


def test_what_sounds_on_after_the_release_is_told() -> None:
    pure = recording()
    ringing = pure.audio.copy()
    ringing[pure.release :] = noise_of(len(ringing) - pure.release, -50.0)
    figures = measure_note(case_of(pure), ringing)
    assert figures.after_release_dbfs == pytest.approx(-50, abs=0.3)
    assert figures.after_release_db == pytest.approx(-50 - measures.level_db(pure.audio[13230:44100]), abs=0.5)


def test_a_voice_cut_off_while_it_sounds_clicks_at_its_end() -> None:
    pure = recording()
    ringing = np.concatenate((pure.audio[: pure.release], pure.audio[13230 : 13230 + 20000]))
    assert measure_note(case_of(pure), ringing).end_click_db > 10
    assert measure_note(case_of(pure), pure.audio).end_click_db < 6


def test_a_decaying_note_is_measured_from_its_beginning_on() -> None:
    steady, falling = recording(), recording()
    falling.audio[:] *= 10 ** (-20 * np.arange(len(falling.audio)) / RATE / 20)
    assert case_of(falling, GUITAR).stretch == slice(2205, falling.release)
    figures = measure_note(case_of(falling, GUITAR), falling.audio)
    assert figures.level_db == 0
    assert figures.pitch_cents == pytest.approx(0, abs=0.5)
    assert measure_note(case_of(falling, GUITAR), steady.audio).level_db > 5


def test_the_baseline_goes_through_the_same_measures() -> None:
    noisy = recording()
    noisy.audio[:] += noise_of(len(noisy.audio), -40.0)
    own, base = measure_case(case_of(noisy), noisy.audio)
    assert own == measure_note(case_of(noisy), noisy.audio)
    assert base.log_mel_db == measure_note(case_of(noisy), baseline(case_of(noisy))).log_mel_db
    assert base.pitch_cents == pytest.approx(0, abs=0.5)
    assert abs(base.level_db) < 0.3
    assert base.hnr_short_db < -5


def test_a_short_note_is_measured_in_its_latter_half() -> None:
    short = case_of(recording(held_s=0.2))
    assert short.stretch == slice(short.recording.release // 2, short.recording.release)
    assert np.isfinite(measure_note(short, short.recording.audio).hnr_db)
