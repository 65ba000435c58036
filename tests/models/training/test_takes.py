"""One's own recordings, made here: what is heard in a file, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
import soundfile  # type: ignore[import-untyped]
from numpy.typing import NDArray

from ostinato.models.training.notes import Note
from ostinato.models.training.takes import Refusal, Take, clipped_samples, read_takes
from tests.models.training.tones import HOP, RATE, tone

Sound = NDArray[np.float32] | NDArray[np.float64]


def sound(key: float = 60.0, held_s: float = 0.6, level: float = 0.2) -> NDArray[np.float32]:
    """A tenth of a second of silence, and a note with a little noise."""
    note = Note(key, 100, 0.0, held_s)
    audio = tone(note, note.held(HOP, RATE) + RATE // 4, level=level)[0]
    noisy = audio + np.random.default_rng(0).normal(0, level * 1e-3, len(audio)).astype(np.float32)
    return np.concatenate((np.zeros(RATE // 10, dtype=np.float32), noisy))


def read(path: Path, audio: Sound, rate: int = RATE, subtype: str = "PCM_16") -> list[Take | Refusal]:
    soundfile.write(path, audio, rate, subtype=subtype)
    return list(read_takes(path, path.name, sample_rate=RATE, hop=HOP))


def only(entries: list[Take | Refusal]) -> Take:
    (entry,) = entries
    assert isinstance(entry, Take)
    return entry


def reasons(entries: list[Take | Refusal]) -> list[str]:
    return [entry.reason for entry in entries if isinstance(entry, Refusal)]


@pytest.mark.parametrize("key", [45.0, 60.13, 83.6])
def test_a_note_is_found_with_its_pitch_onset_and_release(tmp_path: Path, key: float) -> None:
    take = only(read(tmp_path / "a.wav", sound(key)))
    assert take.pitch == pytest.approx(key, abs=0.01)
    assert take.start_s == pytest.approx(0.1, abs=0.005)
    assert take.release / RATE == pytest.approx(0.6, abs=0.04)
    assert take.release % HOP == len(take.audio) % HOP == 0
    assert take.audio[0] == 0
    assert take.audio[-1] == 0


def test_a_stereo_file_of_another_rate_gives_its_louder_channel(tmp_path: Path) -> None:
    mono = sound(69 - 12 * np.log2(48000 / RATE)).astype(np.float64)  # 440 Hz when it is played at 48 kHz
    take = only(read(tmp_path / "a.flac", np.stack((0.1 * mono, mono), axis=1), 48000, "PCM_24"))
    assert take.pitch == pytest.approx(69, abs=0.01)
    assert np.abs(take.audio).max() == pytest.approx(np.abs(mono).max(), rel=0.02)


def test_a_legato_note_is_let_go_before_the_next_one(tmp_path: Path) -> None:
    first = Note(60, 100, 0.0, 1.0)
    phrase = np.concatenate((tone(first, first.held(HOP, RATE))[0], sound(64)[RATE // 10 :]))
    a, b = (entry for entry in read(tmp_path / "phrase.wav", phrase) if isinstance(entry, Take))
    assert (a.key, b.key) == (60, 64)
    assert a.release / RATE == pytest.approx(1.0 - 0.28, abs=0.04)
    np.testing.assert_array_equal(a.audio[round(1.02 * RATE) :], 0)  # nothing of the next


@pytest.mark.parametrize(("name", "key", "remark"), [("C4", 60, ""), ("C5", 60, "the name says MIDI note 72")])
def test_the_name_tells_the_key_where_the_pitch_agrees(tmp_path: Path, name: str, key: int, remark: str) -> None:
    take = only(read(tmp_path / f"{name}_v64.wav", sound(60.3)))
    assert (take.key, take.remark, take.named_velocity) == (key, remark, 64)


def test_a_name_settles_what_is_between_two_keys(tmp_path: Path) -> None:
    assert only(read(tmp_path / "C4.wav", sound(60.6))).key == 60
    assert only(read(tmp_path / "some.wav", sound(60.6))).key == 61


def test_what_can_not_be_used_is_told_with_its_reason(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, RATE // 2)
    assert reasons(read(tmp_path / "silent.wav", np.zeros(RATE))) == ["silent: never above -60 dBFS"]
    assert reasons(read(tmp_path / "noise.wav", noise)) == ["no pitch"]
    assert reasons(read(tmp_path / "short.wav", sound(held_s=0.1)))[0].startswith("too short: 0.")
    assert reasons(read(tmp_path / "clipped.wav", np.clip(8 * sound(), -1, 1))) == ["clipped"]
    assert reasons(read(tmp_path / "high.wav", sound(110)))[0].startswith("out of range: MIDI note 1")
    assert reasons(read(tmp_path / "empty.wav", np.zeros(0))) == ["unreadable: no samples"]
    assert reasons(read(tmp_path / "nan.wav", np.full(RATE, np.nan), subtype="FLOAT")) == [
        "unreadable: samples that are no numbers"
    ]
    (tmp_path / "text.wav").write_text("no sound")
    told = list(read_takes(tmp_path / "text.wav", "text.wav", sample_rate=RATE, hop=HOP))
    assert reasons(told)[0].startswith("unreadable")


def test_a_siren_is_not_a_note(tmp_path: Path) -> None:
    glide = 300 * 2 ** (np.arange(RATE) / RATE)
    siren = 0.2 * np.cos(2 * np.pi * np.cumsum(glide) / RATE)
    assert not any(isinstance(entry, Take) for entry in read(tmp_path / "siren.wav", siren))


@pytest.mark.parametrize("hertz", [30.0, 440.0])
def test_a_full_scale_sine_is_not_clipped_and_a_cut_one_is(hertz: float) -> None:
    sine = np.round(32767 * np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE)) / 32768
    assert not clipped_samples(sine).size
    assert clipped_samples(np.clip(1.5 * sine, -0.99, 0.99)).size
