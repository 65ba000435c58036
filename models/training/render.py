"""Notes from a soundfont: a MIDI file made with mido, played by FluidSynth, cut at the onsets.

FluidSynth begins a note at the next of its own blocks, so an onset is where its exact silence ends.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import mido  # type: ignore[import-untyped]
import numpy as np
import soundfile  # type: ignore[import-untyped]
from numpy.typing import NDArray

from ostinato.models.training.notes import Note

SOUNDFONT: Final = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")

TICKS_PER_BEAT: Final = 960
TEMPO: Final = 480_000  # microseconds per beat
TICKS_PER_S: Final = TICKS_PER_BEAT * 1_000_000 // TEMPO

TAIL_S: Final = 0.6  # kept after the release
REST_S: Final = 0.6  # silence between notes, longer than any release lasts
LATEST_ONSET_S: Final = 0.02
WHEEL_CENTS: Final = 200.0  # General MIDI's range of the pitch wheel
NOTES_PER_FILE: Final = 50


class RenderError(RuntimeError):
    """The soundfont could not be played; the message says what to install or what went wrong."""


def render_notes(
    notes: Sequence[Note], *, soundfont: Path, program: int, hop: int, sample_rate: int
) -> Iterator[NDArray[np.float32]]:
    """Each note's left channel from its onset to `TAIL_S` after its release: float32 [samples], a multiple of `hop`.

    Raises:
        RenderError: where FluidSynth or the soundfont is missing, fails, or plays nothing.
    """
    for first in range(0, len(notes), NOTES_PER_FILE):
        some = notes[first : first + NOTES_PER_FILE]
        with tempfile.TemporaryDirectory() as folder:
            midi, wav = Path(folder) / "notes.mid", Path(folder) / "notes.wav"
            onsets = write_midi(some, midi, program=program, hop=hop, sample_rate=sample_rate)
            play(midi, wav, soundfont=soundfont, sample_rate=sample_rate)
            audio, _ = soundfile.read(wav, dtype="float32", always_2d=True)
        for note, tick in zip(some, onsets, strict=True):
            length = note.held(hop, sample_rate) + round(TAIL_S * sample_rate / hop) * hop
            start = find_onset(audio[:, 0], tick * sample_rate // TICKS_PER_S, note, sample_rate)
            yield audio[start : start + length, 0].copy()


def write_midi(notes: Sequence[Note], path: Path, *, program: int, hop: int, sample_rate: int) -> list[int]:
    """Write the notes one after another; return the tick of each onset."""
    file = mido.MidiFile(ticks_per_beat=TICKS_PER_BEAT)
    track = mido.MidiTrack()
    file.tracks.append(track)
    track.append(mido.MetaMessage("set_tempo", tempo=TEMPO))
    track.append(mido.Message("program_change", program=program))
    onsets, now = [], 0
    for note in notes:
        onset = now + round((TAIL_S + REST_S) * TICKS_PER_S)
        release = onset + round(note.held(hop, sample_rate) / sample_rate * TICKS_PER_S)
        wheel = round(np.clip(note.bend_cents / WHEEL_CENTS, -1, 1) * 8191)
        key = int(note.key)
        track.append(mido.Message("pitchwheel", pitch=wheel, time=onset - now - TICKS_PER_S // 100))
        track.append(mido.Message("note_on", note=key, velocity=note.velocity, time=TICKS_PER_S // 100))
        track.append(mido.Message("note_off", note=key, time=release - onset))
        onsets.append(onset)
        now = release
    track.append(mido.MetaMessage("end_of_track", time=TICKS_PER_S))
    file.save(path)
    return onsets


def play(midi: Path, wav: Path, *, soundfont: Path, sample_rate: int) -> None:
    """Play a MIDI file dry into a float WAV."""
    program = shutil.which("fluidsynth")
    if program is None:
        raise RenderError("fluidsynth is not installed; on Debian: apt install fluidsynth")
    if not soundfont.is_file():
        raise RenderError(f"no soundfont at {soundfont}; on Debian: apt install fluid-soundfont-gm")
    # float output leaves silence exactly zero, where 16 bits would dither it
    options = ["-ni", "-r", str(sample_rate), "-g", "0.5", "-R", "0", "-C", "0", "-T", "wav", "-O", "float"]
    command = [program, *options, "-F", str(wav), str(soundfont), str(midi)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or not wav.is_file():
        raise RenderError(f"fluidsynth failed ({done.returncode}): {done.stderr.strip()}")


def find_onset(audio: NDArray[np.float32], expected: int, note: Note, sample_rate: int) -> int:
    """The first sample that is not silent, at or soon after where the note was asked for."""
    window = audio[expected : expected + int(LATEST_ONSET_S * sample_rate)]
    sounding = np.flatnonzero(window)
    if not sounding.size:
        raise RenderError(f"key {note.key:g} at velocity {note.velocity} is silent in this soundfont")
    return expected + int(sounding[0])
