"""The data set on disk, and the MIDI that it is rendered from."""

import json
from pathlib import Path

import mido  # type: ignore[import-untyped]
import numpy as np
import pytest

from ostinato.models.training import render
from ostinato.models.training.dataset import INDEX, PEAK, DatasetError, read_dataset, write_dataset
from ostinato.models.training.notes import Note, Split
from ostinato.models.training.recipe import BEND_CENTS, FLUTE, HELD_OUT_KEYS, HELD_OUT_VELOCITY, flute_notes
from tests.models.training.tones import HOP, RATE, recordings


def write(folder: Path) -> float:
    notes, audio = [r.note for r in recordings()], [r.audio for r in recordings()]
    return write_dataset(folder, notes, audio, instrument="tone", sample_rate=RATE, hop=HOP, source="computed")


def test_written_set_is_read_again_with_its_gain(tmp_path: Path) -> None:
    gain, written = write(tmp_path), recordings()
    dataset = read_dataset(tmp_path)
    assert dataset.gain == gain
    assert [r.note for r in dataset.recordings] == [r.note for r in written]
    assert max(float(np.abs(r.audio).max()) for r in dataset.recordings) == pytest.approx(PEAK, abs=1e-4)
    for a, b in zip(dataset.recordings, written, strict=True):
        np.testing.assert_allclose(a.audio, b.audio * gain, atol=2.0**-15)
        np.testing.assert_array_equal(a.frames, b.frames)
    assert dataset.of_split(Split.PITCH) == []


def test_missing_set_and_recording_are_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="ostinato data"):
        read_dataset(tmp_path)
    write(tmp_path)
    index = json.loads((tmp_path / INDEX).read_text())
    (tmp_path / index["notes"][1]["file"]).unlink()
    with pytest.raises(DatasetError, match=index["notes"][1]["file"]):
        read_dataset(tmp_path)


@pytest.mark.parametrize("content", ["{", "{}", '{"sample_rate": 44100, "hop": 64, "notes": [{"file": 3}]}'])
def test_broken_index_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / INDEX).write_text(content)
    with pytest.raises(DatasetError, match="index"):
        read_dataset(tmp_path)


def test_held_out_keys_and_velocity_are_never_trained_on() -> None:
    notes = flute_notes(seed=0)
    trained = [n for n in notes if n.split is Split.TRAIN]
    assert not {n.key for n in trained} & set(HELD_OUT_KEYS)
    assert HELD_OUT_VELOCITY not in {n.velocity for n in trained}
    assert {n.key for n in notes} == set(range(int(FLUTE.low), int(FLUTE.high) + 1))
    bends = np.array([n.bend_cents for n in trained if n.bend_cents])
    assert np.abs(bends).max() <= BEND_CENTS
    assert np.ptp(bends) > 1.8 * BEND_CENTS
    assert flute_notes(seed=0) == notes


def test_midi_plays_each_note_at_its_tick_with_its_bend(tmp_path: Path) -> None:
    notes = [Note(60, 64, 0.0, 1.0), Note(72, 100, -50.0, 0.5)]
    onsets = render.write_midi(notes, tmp_path / "a.mid", program=73, hop=HOP, sample_rate=RATE)
    now, ons, offs, wheels = 0, [], [], []
    for message in mido.MidiFile(tmp_path / "a.mid").tracks[0]:
        now += message.time
        if message.type == "note_on":
            ons.append((now, message.note, message.velocity))
        elif message.type == "note_off":
            offs.append(now)
        elif message.type == "pitchwheel":
            wheels.append(message.pitch)
    assert ons == [(onsets[0], 60, 64), (onsets[1], 72, 100)]
    for on, off, note in zip(onsets, offs, notes, strict=True):
        assert (off - on) / render.TICKS_PER_S == pytest.approx(note.held_s, abs=0.002)
    assert wheels == [0, pytest.approx(-8191 / 4, abs=1)]


def test_missing_program_names_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(render.RenderError, match="apt install fluidsynth"):
        render.play(tmp_path / "a.mid", tmp_path / "a.wav", soundfont=render.SOUNDFONT, sample_rate=RATE)


def test_missing_soundfont_names_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "fluidsynth"
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(render.RenderError, match="apt install fluid-soundfont-gm"):
        render.play(tmp_path / "a.mid", tmp_path / "a.wav", soundfont=tmp_path / "none.sf2", sample_rate=RATE)
    with pytest.raises(render.RenderError, match=r"failed \(3\)"):
        render.play(tmp_path / "a.mid", tmp_path / "a.wav", soundfont=program, sample_rate=RATE)


def test_onset_is_where_silence_ends() -> None:
    audio, note = np.zeros(4000, dtype=np.float32), Note(60, 64, 0.0, 1.0)
    audio[1100:] = 1e-9
    assert render.find_onset(audio, 1000, note, RATE) == 1100
    with pytest.raises(render.RenderError, match="silent"):
        render.find_onset(audio, 100, note, RATE)
