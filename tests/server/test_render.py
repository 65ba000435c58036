from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ostinato.models.controls import FRAME
from ostinato.models.registry import load
from ostinato.models.sampling.choose import open_sampler
from ostinato.models.sampling.contract import Sampler
from ostinato.server.midi import from_midi
from ostinato.server.protocol import ProtocolError
from ostinato.server.render import render
from ostinato.server.score import PlacedNote, Score, TimedNote, compose, from_notes, release_samples
from tests.songs import as_bytes, canon

TINY = load("tiny")
MODEL = TINY.config
HOP = MODEL.network.hop
CHORD = from_notes([TimedNote(60, 0.3), TimedNote(64, 0.25, 0.1), TimedNote(67, 0.1, 0.15, velocity=0.3)], MODEL)


def sampler(slots: int = 8) -> Sampler:
    return open_sampler(TINY, slots=slots)[0]


def rendered(score: Score, *, slots: int = 8, seed: int = 7, block_hops: int = 16) -> NDArray[np.float32]:
    return np.concatenate(list(render(score, sampler(slots), seed, block_hops=block_hops)))


def test_a_score_is_rendered_to_its_exact_length_and_does_sound() -> None:
    audio = rendered(CHORD)
    assert audio.dtype == np.float32
    assert len(audio) == CHORD.samples
    assert np.abs(audio).max() <= 1.0
    assert np.abs(audio[: CHORD.samples // 2]).max() > 1e-3


def test_the_same_seed_gives_the_same_bits_however_it_is_cut_and_another_seed_others() -> None:
    audio = rendered(CHORD)
    assert np.array_equal(audio, rendered(CHORD, block_hops=1))
    assert np.array_equal(audio, rendered(CHORD, block_hops=1000, slots=3))
    assert not np.array_equal(audio, rendered(CHORD, seed=8))


def test_a_sampler_that_is_used_again_gives_the_same_bits() -> None:
    pool = sampler()
    first, second = (np.concatenate(list(render(CHORD, pool, 7))) for _ in range(2))
    assert np.array_equal(first, second)


def test_silence_before_and_after_a_note_is_exact() -> None:
    start = 300 * HOP
    score = compose([PlacedNote(60, 0.8, start, start + HOP), PlacedNote(60, 0.8, 3 * start, 3 * start + HOP)], MODEL)
    audio = rendered(score)
    between = slice(start + HOP + release_samples(MODEL), 3 * start)
    assert not audio[:start].any()
    assert audio[start : start + HOP].any()
    assert not audio[between].any()
    assert audio[3 * start : 3 * start + HOP].any()


def test_bends_and_instruments_reach_the_sampler_at_their_hop() -> None:
    class Recording:
        """Notes what it was driven by."""

        def __init__(self) -> None:
            self.config, self.slots, self.build = MODEL, 4, None
            self.seen: list[NDArray[np.float32]] = []

        def reset(self, slot: int, key: int) -> None:
            pass

        def advance(self, slots: list[int], controls: NDArray[np.float32]) -> NDArray[np.float32]:
            self.seen.append(controls[0])
            return np.zeros((len(slots), controls.shape[1] * HOP), dtype=np.float32)

    score = compose([PlacedNote(60, 0.5, 0, 10 * HOP, bends=((0, 50.0), (4 * HOP, 100.0)))], MODEL)
    pool = Recording()
    list(render(score, pool, 1))  # type: ignore[arg-type]
    frames = np.concatenate(pool.seen)
    assert frames[:10, FRAME.index("note")].tolist() == [60.5] * 4 + [61.0] * 6
    assert frames[:11, FRAME.index("gate")].tolist() == [1.0] * 10 + [0.0]


def test_notes_beyond_the_limit_of_voices_are_stolen_and_the_length_stays() -> None:
    score = compose([PlacedNote(50 + i, 0.5, i * HOP, 4000) for i in range(20)], MODEL)
    assert score.voices == 16
    assert len(rendered(score, slots=16)) == score.samples


def test_a_pool_too_small_and_a_control_unknown_are_refused_at_once() -> None:
    with pytest.raises(ValueError, match="voices: 3 do not fit into 2 slots"):
        render(CHORD, sampler(2), 7)
    with pytest.raises(ProtocolError, match="reverb"):
        render(CHORD, sampler(), 7, {"reverb": 1.0})


def test_a_midi_file_is_rendered_to_the_length_of_its_score() -> None:
    score = from_midi(as_bytes(canon(5)), MODEL)
    assert len(rendered(score)) == score.samples
