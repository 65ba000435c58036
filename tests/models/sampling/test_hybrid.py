"""Random hybrids of every shape: the kernel draws as the readable reference, whoever its neighbours are.

And the shipped one: its latents hold a note for as long as it is held.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.models.checkpoint import Checkpoint
from ostinato.models.native import _kernel
from ostinato.models.registry import load
from ostinato.models.sampling.contract import Sampler
from ostinato.models.sampling.native import NativeSampler, kernel_shape
from ostinato.models.sampling.torch_parallel import TorchParallelSampler
from ostinato.models.training.dataset import note_frames
from ostinato.models.training.notes import Note, Split
from ostinato.models.training.playing import play_notes
from tests.models.sampling.networks import controls_for, frames_for, hybrid_checkpoints
from tests.models.sampling.test_contract import small_hybrid

ISAS = _kernel.isas()
KEY = 0xDEADBEEFCAFEBABE
RATE, HELD_S = 44100, 60.0


@settings(max_examples=20, deadline=None)
@given(checkpoint=hybrid_checkpoints(), seed=st.integers(0, 99))
def test_the_kernel_draws_what_the_reference_draws(checkpoint: Checkpoint, seed: int) -> None:
    controls, drawn = controls_for(checkpoint.config, 1, frames_for(checkpoint.config, 90), seed), []
    samplers: list[Sampler] = [
        TorchParallelSampler(checkpoint, 2), *(NativeSampler(checkpoint, 2, isa) for isa in ISAS)
    ]  # fmt: skip
    for sampler in samplers:
        sampler.reset(1, KEY)
        drawn.append(sampler.advance([1], controls))
    for found in drawn[1:]:
        np.testing.assert_allclose(found, drawn[0], rtol=0, atol=5e-5 * max(1.0, float(np.abs(drawn[0]).max())))


def test_what_the_kernel_cannot_run_is_refused_by_name() -> None:
    checkpoint = small_hybrid()
    for field, value, expected in (
        ("latents", 65, "latents: 65, expected 1..64"),
        ("tone_harmonics", 0, "tone_harmonics: 0, expected at least 1"),
        ("head", "logistics", "head: 'logistics', expected 'gaussian'"),
    ):
        shape = kernel_shape(checkpoint.config)
        setattr(shape, field, value)
        with pytest.raises(ValueError, match=expected):
            _kernel.Pool(shape, {**checkpoint.tensors}, 1)


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
