"""The shipped instruments: what each plays, hearing only itself, is the note that was asked for."""

from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from ostinato.models.checkpoint import Checkpoint
from ostinato.models.registry import PRETRAINED, load
from ostinato.models.sampling.choose import open_sampler
from ostinato.models.training import measures
from ostinato.models.training.dataset import note_frames
from ostinato.models.training.notes import Note
from ostinato.models.training.orchestra import ORCHESTRA
from ostinato.models.training.playing import play_notes

MOST_BYTES = {
    "default": 8 * 2**20, "nade": 10**6, "blocks": 10**6, "blocks-1": 10**6, "blocks-4": 10**6, "blocks-64": 10**6,
    "student": 3 * 2**19, "hybrid": 1_300_000,
}  # fmt: skip
PLUCKED = {part.instrument.name for part in ORCHESTRA if part.plucked}

RATE = 44100
HELD_S, LONG_S, TAIL_S = 0.5, 3.0, 0.05
SUSTAIN = slice(int(0.2 * RATE), int(HELD_S * RATE))
VELOCITIES = (40, 90, 120)
BENDS = (-200.0, 200.0)

Played = list[tuple[Note, str, NDArray[np.float32]]]


@pytest.fixture(scope="module", params=MOST_BYTES)
def model(request: pytest.FixtureRequest) -> Checkpoint:
    return load(str(request.param))


def middle(model: Checkpoint, place: int) -> int:
    instrument = model.config.instruments[place]
    return round((instrument.low + instrument.high) / 2)


def play(model: Checkpoint, notes: list[Note]) -> Played:
    """All at once, at the model's own temperature, for as long as their voices live and a little longer."""
    config = model.config
    sampler, _ = open_sampler(model, slots=len(notes))
    frames = [
        note_frames(
            note, round((note.held_s + config.release_s + TAIL_S) * RATE / config.network.hop),
            hop=config.network.hop, sample_rate=RATE, temperature=config.temperature,
        )
        for note in notes
    ]  # fmt: skip
    audio = play_notes(sampler, frames, seed=1)
    return [(note, config.instruments[note.instrument].name, a) for note, a in zip(notes, audio, strict=True)]


@pytest.fixture(scope="module")
def played(model: Checkpoint) -> Played:
    """Of each instrument its lowest, middle and highest key, the middle one also soft, hard and bent."""
    notes = []
    for place, instrument in enumerate(model.config.instruments):
        key = middle(model, place)
        notes += [Note(end, 90, 0.0, HELD_S, instrument=place) for end in (instrument.low, instrument.high)]
        notes += [Note(key, velocity, 0.0, HELD_S, instrument=place) for velocity in VELOCITIES]
        notes += [Note(key, 90, cents, HELD_S, instrument=place) for cents in BENDS]
    return play(model, notes)


@pytest.fixture(scope="module")
def long(model: Checkpoint) -> Played:
    """Of each instrument a note that is held for longer than any it learnt from."""
    places = range(len(model.config.instruments))
    return play(model, [Note(middle(model, place), 90, 0.0, LONG_S, instrument=place) for place in places])


def test_it_is_small_enough_to_be_shipped_and_drawn_in_real_time(model: Checkpoint) -> None:
    name = model.config.name
    assert model.config.network.macs_per_sample <= 150_000
    assert (PRETRAINED / name / "weights.safetensors").stat().st_size <= MOST_BYTES[name]


def test_it_is_a_small_orchestra_whose_instruments_have_names_and_ranges(model: Checkpoint) -> None:
    instruments = model.config.instruments
    assert len({i.name for i in instruments}) == len(instruments) >= 6
    assert all(i.high - i.low >= 24 for i in instruments)
    programs = [program for i in instruments for program in i.programs]
    assert len(set(programs)) == len(programs)


def test_the_card_names_each_instrument_and_the_licence(model: Checkpoint) -> None:
    card = (PRETRAINED / model.config.name / "README.md").read_text(encoding="utf-8").lower()
    for instrument in model.config.instruments:
        assert instrument.name.lower() in card
    assert "licence" in card
    for licence in model.config.licence.split(", "):
        assert licence.lower() in card


def test_every_note_is_in_tune(played: Played) -> None:
    for note, name, audio in played:
        assert np.isfinite(audio).all(), (name, note)
        error = measures.pitch_cents(audio[SUSTAIN], note.hertz, RATE)
        assert abs(error) < 10, (name, note, error)


def test_every_note_is_heard_and_nothing_clips(played: Played) -> None:
    for note, name, audio in played:
        level = measures.level_db(audio[: SUSTAIN.stop])
        assert level > -48, (name, note, level)
        assert np.abs(audio).max() < 0.7, (name, note)


def test_every_note_is_a_tone(played: Played) -> None:
    for note, name, audio in played:
        ratio = measures.harmonic_to_noise_db(audio[SUSTAIN], note.hertz, RATE)
        assert ratio > 3, (name, note, ratio)


def test_every_note_is_silent_once_it_is_released(model: Checkpoint, played: Played, long: Played) -> None:
    for note, name, audio in [*played, *long]:
        end = int((note.held_s + model.config.release_s) * RATE)
        for after in (audio[end - RATE // 50 : end], audio[end:]):
            level = measures.level_db(after)
            assert level < -60, (name, note, level)


def test_a_harder_note_is_louder(model: Checkpoint, played: Played) -> None:
    for place, instrument in enumerate(model.config.instruments):
        levels = [
            measures.level_db(audio[: SUSTAIN.stop])
            for note, _, audio in played
            if note.instrument == place and note.key == middle(model, place) and not note.bend_cents
        ]
        soft, middling, hard = levels
        assert soft + 2 < middling < hard - 1, (instrument.name, levels)


def test_a_long_note_is_steady_and_a_plucked_one_fades(long: Played) -> None:
    window = RATE // 5
    for note, name, audio in long:
        assert np.isfinite(audio).all()
        held = audio[int(0.4 * RATE) : int(LONG_S * RATE)]
        levels = [measures.level_db(held[at : at + window]) for at in range(0, len(held) - window + 1, window)]
        if name in PLUCKED:
            assert levels[-1] < levels[0] - 6, (name, levels)
            continue
        assert max(levels) - min(levels) < 3, (name, levels)
        error = measures.pitch_cents(held[-RATE:], note.hertz, RATE)
        assert abs(error) < 10, (name, error)


def test_instruments_differ_from_one_another(model: Checkpoint) -> None:
    """At a key that all of them play, or as near to it as each can."""
    instruments = model.config.instruments
    common = round((max(i.low for i in instruments) + min(i.high for i in instruments)) / 2)
    notes = [
        Note(float(np.clip(common, i.low, i.high)), 90, 0.0, HELD_S, instrument=place)
        for place, i in enumerate(instruments)
    ]
    for (_, one, a), (_, other, b) in combinations(play(model, notes), 2):
        level = 10 ** ((measures.level_db(a[SUSTAIN]) - measures.level_db(b[SUSTAIN])) / 20)
        apart = measures.log_mel_distance_db(a[SUSTAIN], (b[SUSTAIN] * level).astype(np.float32), RATE)
        assert apart > 3, (one, other, apart)
