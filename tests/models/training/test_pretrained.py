"""The shipped instrument: it loads strictly, and what it plays, hearing only itself, is the note that was asked for."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ostinato.models.registry import PRETRAINED, load
from ostinato.models.sampling.choose import open_sampler
from ostinato.models.training import measures
from ostinato.models.training.dataset import note_frames
from ostinato.models.training.notes import Note
from ostinato.models.training.playing import play_notes
from ostinato.models.training.recipe import FLUTE, HELD_OUT_KEYS

HOP, RATE = 64, 44100
HELD_S, HOPS = 0.6, 690  # a second, the release in it
SUSTAIN = slice(int(0.25 * RATE), int(0.6 * RATE))

KEYS = (60, 67, *HELD_OUT_KEYS, 84)
VELOCITIES = (40, 112)


@pytest.fixture(scope="module")
def played() -> dict[tuple[float, int, float], NDArray[np.float32]]:
    """Notes by key, velocity and bend in cents: all drawn at once, at the model's own temperature."""
    checkpoint = load("default")
    asked = [(key, velocity, 0.0) for key in KEYS for velocity in VELOCITIES]
    asked += [(72, 112, cents) for cents in (-200.0, 200.0)]
    frames = [
        note_frames(
            Note(key, velocity, cents, HELD_S), HOPS, hop=HOP, sample_rate=RATE,
            temperature=checkpoint.config.temperature,
        )
        for key, velocity, cents in asked
    ]  # fmt: skip
    sampler, _ = open_sampler(checkpoint, slots=len(asked))
    return dict(zip(asked, play_notes(sampler, frames, seed=1), strict=True))


def test_config_says_what_it_is() -> None:
    checkpoint = load("default")
    assert checkpoint.config.name == "default"
    assert checkpoint.config.instruments == (FLUTE,)
    assert checkpoint.config.network.residual_channels <= 32
    assert 150_000 <= checkpoint.parameters <= 200_000
    assert (PRETRAINED / "default" / "README.md").is_file()


def test_every_note_is_in_tune(played: dict[tuple[float, int, float], NDArray[np.float32]]) -> None:
    for (key, velocity, cents), audio in played.items():
        hertz = Note(key, velocity, cents, HELD_S).hertz
        error = measures.pitch_cents(audio[SUSTAIN], hertz, RATE)
        assert abs(error) < 10, (key, velocity, cents, error)


def test_nothing_clips_and_a_harder_note_is_louder(
    played: dict[tuple[float, int, float], NDArray[np.float32]],
) -> None:
    for audio in played.values():
        assert np.abs(audio).max() < 0.7
    for key in KEYS:
        soft, hard = (measures.level_db(played[key, velocity, 0.0][SUSTAIN]) for velocity in VELOCITIES)
        assert soft + 6 < hard


def test_it_is_a_tone_and_it_ends(played: dict[tuple[float, int, float], NDArray[np.float32]]) -> None:
    release = load("default").config.release_s
    end = slice(int((HELD_S + release - 0.02) * RATE), int((HELD_S + release) * RATE))
    for (key, velocity, cents), audio in played.items():
        hertz = Note(key, velocity, cents, HELD_S).hertz
        assert measures.harmonic_to_noise_db(audio[SUSTAIN], hertz, RATE) > 3, (key, velocity, cents)
        assert measures.level_db(audio[end]) < -45, (key, velocity, cents)
