"""Recordings cut into notes, where the notes are known."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ostinato.models.training.notes import Note
from ostinato.models.training.pitch import track_pitch
from ostinato.models.training.stretches import Stretch, bridge, find_stretches, runs
from tests.models.training.tones import HOP, RATE, tone


def sound(key: float, held_s: float, gap_s: float = 0.2, level: float = 0.2) -> NDArray[np.float32]:
    """A note that is let go, and so much time until the next."""
    note = Note(key, 100, 0.0, held_s)
    return tone(note, note.held(HOP, RATE) + round(gap_s * RATE), level=level)[0]


def silence(seconds: float) -> NDArray[np.float32]:
    return np.zeros(round(seconds * RATE), dtype=np.float32)


def notes(*parts: NDArray[np.float32]) -> list[Stretch]:
    audio = np.concatenate(parts)
    return [s for s in find_stretches(track_pitch(audio, RATE), len(audio)) if s.hertz is not None]


def pitches(found: list[Stretch]) -> list[float]:
    return [float(69 + 12 * np.log2(s.hertz / 440)) for s in found if s.hertz is not None]


def test_notes_between_silences_are_found_with_their_onsets_and_releases() -> None:
    found = notes(silence(0.3), sound(60, 0.5), silence(0.3), sound(67, 0.8), silence(0.2))
    assert pitches(found) == pytest.approx([60, 67], abs=0.05)
    assert [s.onset / RATE for s in found] == pytest.approx([0.3, 1.3], abs=0.015)
    assert [s.release / RATE for s in found] == pytest.approx([0.8, 2.1], abs=0.04)
    assert not any(s.cut for s in found)


@pytest.mark.parametrize("step", [1, -1, 2, 7, -5])
def test_a_legato_phrase_is_split_where_its_pitch_jumps(step: int) -> None:
    found = notes(silence(0.1), sound(62, 0.4, 0), sound(62 + step, 0.5, 0.3))
    assert pitches(found) == pytest.approx([62, 62 + step], abs=0.1)
    assert found[1].onset / RATE == pytest.approx(0.5, abs=0.03)
    assert found[0].cut


def test_a_note_struck_again_is_another_note() -> None:
    found = notes(silence(0.1), sound(62, 0.4, 0.06), sound(62, 0.5, 0.3))
    assert pitches(found) == pytest.approx([62, 62], abs=0.05)
    assert found[1].onset / RATE == pytest.approx(0.56, abs=0.03)


def test_vibrato_and_a_swell_do_not_split_a_note() -> None:
    t = np.arange(2 * RATE) / RATE
    hertz = 440 * 2 ** (40 / 1200 * np.sin(2 * np.pi * 5.5 * t))
    swell = 0.2 * (1 + 0.5 * np.sin(2 * np.pi * 5.5 * t)) * np.minimum(1, (2 - t) / 0.1) * np.minimum(1, t / 0.05)
    audio = (swell * np.cos(2 * np.pi * np.cumsum(hertz) / RATE)).astype(np.float32)
    found = notes(silence(0.1), audio, silence(0.1))
    assert len(found) == 1
    assert found[0].steady > 0.8


def test_a_plucked_note_is_held_until_it_is_gone() -> None:
    t = np.arange(3 * RATE) / RATE
    audio = (0.3 * np.exp(-2 * t) * np.cos(2 * np.pi * 196 * t)).astype(np.float32)
    found = notes(silence(0.1), audio)
    assert len(found) == 1
    assert found[0].release == pytest.approx(found[0].end, abs=0.05 * RATE)
    assert found[0].end / RATE > 2


def test_a_noise_of_the_attack_belongs_to_its_note() -> None:
    breath = np.random.default_rng(0).normal(0, 0.02, round(0.08 * RATE)).astype(np.float32)
    found = notes(silence(0.2), breath, sound(65, 0.5), silence(0.2))
    assert len(found) == 1
    assert found[0].onset / RATE == pytest.approx(0.2, abs=0.02)


def test_what_has_no_pitch_is_told_of() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, RATE // 2).astype(np.float32)
    audio = np.concatenate((sound(60, 0.5, 0.5), noise))
    found = find_stretches(track_pitch(audio, RATE), len(audio))
    assert [s.hertz is None for s in found] == [False, True]
    assert found[1].onset / RATE == pytest.approx(1.0, abs=0.03)


def test_runs_and_bridges_of_a_mask() -> None:
    mask = np.array([0, 1, 1, 0, 1, 0, 0, 0, 1], dtype=bool)
    assert runs(mask) == [(1, 3), (4, 5), (8, 9)]
    assert runs(bridge(mask, 2)) == [(1, 5), (8, 9)]
    assert runs(np.zeros(0, dtype=bool)) == []
