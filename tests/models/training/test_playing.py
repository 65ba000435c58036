"""Notes through the sampler: in their order and length, whatever the slots."""

import numpy as np

from ostinato.models.noise import voice_key
from ostinato.models.registry import load
from ostinato.models.sampling.choose import open_sampler
from ostinato.models.training.dataset import note_frames
from ostinato.models.training.notes import Note
from ostinato.models.training.playing import draw_notes, play_notes, recording_frames
from tests.models.training.cases import recording
from tests.models.training.tones import HOP, RATE

FRAMES = [note_frames(Note(60 + i, 80, 0.0, 0.01), 3 + i % 2, hop=HOP, sample_rate=RATE) for i in range(3)]


def test_notes_are_played_in_order_whatever_the_slots() -> None:
    checkpoint = load("tiny")
    few, many = (play_notes(open_sampler(checkpoint, slots=n)[0], FRAMES, seed=3) for n in (2, 3))
    for frames, a, b in zip(FRAMES, few, many, strict=True):
        assert a.shape == (len(frames) * HOP,)
        np.testing.assert_allclose(a, b, atol=1e-5)
    alone, _ = open_sampler(checkpoint, slots=1)
    alone.reset(0, voice_key(3, 2))
    np.testing.assert_allclose(alone.advance([0], FRAMES[2][None])[0], few[2], atol=1e-5)


def test_the_longest_are_drawn_first_so_that_like_lengths_go_together() -> None:
    drawn = [i for i, _ in draw_notes(open_sampler(load("tiny"), slots=2)[0], FRAMES, seed=0)]
    assert drawn == [1, 0, 2]


def test_a_voice_is_drawn_for_as_long_as_it_lives() -> None:
    sampler, short = open_sampler(load("tiny"), slots=1)[0], recording()
    assert len(recording_frames(short, sampler, 0.5)) >= len(short.frames)
    cut = type(short)(short.note, short.audio, short.phase, short.frames[:10], short.release)
    lives = max(sampler.config.release_s, 0.4) * RATE + short.release
    assert 0 <= len(recording_frames(cut, sampler, 0.5)) * HOP - lives < HOP
