"""The MIDI that notes are rendered from, and how FluidSynth's output is cut."""

from pathlib import Path

import mido  # type: ignore[import-untyped]
import numpy as np
import pytest

from ostinato.models.training import render
from ostinato.models.training.notes import Note
from ostinato.models.training.releases import TAIL_S
from tests.models.training.tones import HOP, RATE

SOUNDFONT = render.SOUNDFONT_FOLDER / render.FLUID


def test_midi_plays_each_note_at_its_tick_bent_from_the_played_key_and_then_silent(tmp_path: Path) -> None:
    notes = [Note(60, 64, 0.0, 1.0), Note(72, 100, -50.0, 0.5)]
    onsets = render.write_midi(notes, tmp_path / "a.mid", keys=[60, 75], program=73, hop=HOP, sample_rate=RATE)
    now, ons, offs, wheels, silences = 0, [], [], [], []
    for message in mido.MidiFile(tmp_path / "a.mid").tracks[0]:
        now += message.time
        if message.type == "note_on":
            ons.append((now, message.note, message.velocity))
        elif message.type == "note_off":
            offs.append(now)
        elif message.type == "pitchwheel":
            wheels.append(message.pitch)
        elif message.type == "control_change" and message.control == render.ALL_SOUND_OFF:
            silences.append(now)
    assert ons == [(onsets[0], 60, 64), (onsets[1], 75, 100)]
    for on, off, note in zip(onsets, offs, notes, strict=True):
        assert (off - on) / render.TICKS_PER_S == pytest.approx(note.held_s, abs=0.002)
    assert wheels == [0, pytest.approx(-3.5 / 12 * 8191, abs=1)]  # three semitones and a half
    assert offs[0] + TAIL_S * render.TICKS_PER_S <= silences[0] < onsets[1]


def test_missing_program_names_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(render.RenderError, match="apt install fluidsynth"):
        render.play(tmp_path / "a.mid", tmp_path / "a.wav", soundfont=SOUNDFONT, sample_rate=RATE)


@pytest.mark.parametrize("name", [render.FLUID, render.MUSESCORE])
def test_missing_soundfont_names_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    program = tmp_path / "fluidsynth"
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(render.RenderError, match=f"apt install {render.PACKAGES[name]}"):
        render.play(tmp_path / "a.mid", tmp_path / "a.wav", soundfont=tmp_path / name, sample_rate=RATE)
    with pytest.raises(render.RenderError, match=r"failed \(3\)"):
        render.play(tmp_path / "a.mid", tmp_path / "a.wav", soundfont=program, sample_rate=RATE)


def test_onset_is_where_silence_ends() -> None:
    audio, note = np.zeros(4000, dtype=np.float32), Note(60, 64, 0.0, 1.0)
    audio[1100:] = 1e-9
    assert render.find_onset(audio, 1000, note, RATE) == 1100
    with pytest.raises(render.RenderError, match="silent"):
        render.find_onset(audio, 100, note, RATE)
