"""Free-running evaluation: notes in their order and length, and figures that are right where the answer is known."""

import numpy as np
import pytest

from ostinato.models.checkpoint import Checkpoint
from ostinato.models.noise import voice_key
from ostinato.models.registry import load
from ostinato.models.sampling.choose import open_sampler
from ostinato.models.training.dataset import Recording, note_frames
from ostinato.models.training.evaluation import likelihood, measure_bends, measure_note, play_notes
from ostinato.models.training.figures import make_report, summarise
from ostinato.models.training.notes import Note, Split
from tests.models.training.tones import HOP, RATE, recordings, tone


def recording(cents: float = 0.0, level: float = 0.2) -> Recording:
    note = Note(69, 100, cents, 1.0, Split.TRAIN)
    return Recording.of(note, tone(note, 1000 * HOP, level=level)[0], hop=HOP, sample_rate=RATE)


def test_a_recording_measured_against_itself_is_perfect() -> None:
    itself = recording()
    figures = measure_note(itself, itself.audio, RATE)
    assert figures.pitch_cents == pytest.approx(0, abs=0.2)
    assert figures.level_db == 0
    assert figures.log_mel_db == 0
    assert figures.hnr_db == figures.recording_hnr_db
    assert figures.after_release_db < -80


def test_pitch_and_level_errors_are_told() -> None:
    figures = measure_note(recording(), recording(cents=12.0, level=0.1).audio, RATE)
    assert figures.pitch_cents == pytest.approx(12, abs=0.2)
    assert figures.level_db == pytest.approx(-6.02, abs=0.05)
    assert summarise([figures])["in_tune"] == 0


def test_notes_are_played_in_order_whatever_the_slots() -> None:
    checkpoint = load("tiny")
    frames = [note_frames(Note(60 + i, 80, 0.0, 0.01), 3 + i, hop=HOP, sample_rate=RATE) for i in range(3)]
    few, many = (play_notes(open_sampler(checkpoint, slots=n)[0], frames, seed=3) for n in (2, 3))
    for i, (a, b) in enumerate(zip(few, many, strict=True)):
        assert a.shape == ((3 + i) * HOP,)
        np.testing.assert_allclose(a, b, atol=1e-5)
    alone, _ = open_sampler(checkpoint, slots=1)
    alone.reset(0, voice_key(3, 2))
    np.testing.assert_allclose(alone.advance([0], frames[2][None])[0], few[2], atol=1e-5)


def test_a_model_that_ignores_its_past_loses_nothing_without_it() -> None:
    checkpoint = load("tiny")
    deaf = {name: t.copy() for name, t in checkpoint.tensors.items()}
    deaf["input.weight"][:, 0] = 0
    own, zeroed = likelihood(Checkpoint(checkpoint.config, deaf), recordings()[:1])
    assert own == zeroed
    own, zeroed = likelihood(checkpoint, recordings()[:1])
    assert own != zeroed


def test_report_covers_each_split_that_is_there() -> None:
    checkpoint, some = load("tiny"), recordings()[:2]
    bends = measure_bends(open_sampler(checkpoint, slots=2)[0], [some[0].note], temperature=1.0, seed=0)
    assert [cents for _, cents, _ in bends] == [-200.0, 200.0]
    report = make_report(checkpoint, some, [r.audio for r in some], bends)
    assert set(report["splits"]) == {Split.TRAIN.value}
    assert report["splits"]["train"]["notes"] == 2
    assert report["splits"]["train"]["level_error_db"]["worst"] == 0
    assert report["bends"]["notes"] == 2
    assert len(report["notes"]) == 2
