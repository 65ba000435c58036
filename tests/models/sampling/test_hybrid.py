"""The shipped hybrid on the native kernel: its latents hold a note for as long as it is held."""

import numpy as np

from ostinato.models.registry import load
from ostinato.models.sampling.native import NativeSampler
from ostinato.models.training.dataset import note_frames
from ostinato.models.training.notes import Note, Split
from ostinato.models.training.playing import play_notes

RATE, HELD_S = 44100, 60.0


def test_a_note_held_for_a_minute_stays_as_loud_as_it_was() -> None:
    model = load("hybrid")
    places = [i for i, instrument in enumerate(model.config.instruments) if "guitar" not in instrument.name]
    keys = [round((model.config.instruments[i].low + model.config.instruments[i].high) / 2) for i in places]
    notes = [Note(key, 90, 0.0, HELD_S, Split.TRAIN, instrument=i) for key, i in zip(keys, places, strict=True)]
    hop = model.config.network.hop
    frames = [
        note_frames(note, round((HELD_S + 0.5) * RATE / hop), hop=hop, sample_rate=RATE, temperature=1.0)
        for note in notes
    ]
    for note, audio in zip(notes, play_notes(NativeSampler(model, len(notes)), frames, seed=1), strict=True):
        seconds = audio[3 * RATE : 60 * RATE].reshape(-1, RATE).astype(np.float64)
        level = 10 * np.log10(np.square(seconds).mean(1))
        assert np.ptp(level) < 3, note
        assert abs(level[-5:].mean() - level[:5].mean()) < 1, note
        assert np.abs(audio[int(60.3 * RATE) :]).max() < 1e-3, note
