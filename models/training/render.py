"""Notes from a soundfont: a MIDI file made with mido, played by FluidSynth, cut at the onsets.

FluidSynth begins a note at the next of its own blocks, so an onset is where its exact silence ends. Each note is cut
short by force (controller 120) once its tail is over, so that this silence comes whatever its soundfont's release.
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
from ostinato.models.training.releases import TAIL_S, shape_release

SOUNDFONT_FOLDER: Final = Path("/usr/share/sounds/sf2")
FLUID: Final = "FluidR3_GM.sf2"
MUSESCORE: Final = "MuseScore_General_Full.sf2"
PACKAGES: Final = {FLUID: "fluid-soundfont-gm", MUSESCORE: "musescore-general-soundfont-lossless"}  # Debian's

TICKS_PER_BEAT: Final = 960
TEMPO: Final = 480_000  # microseconds per beat
TICKS_PER_S: Final = TICKS_PER_BEAT * 1_000_000 // TEMPO

REST_S: Final = 0.2  # silence between notes
LATEST_ONSET_S: Final = 0.02
ALL_SOUND_OFF: Final = 120
WHEEL_CENTS: Final = 1200.0  # range asked of the pitch wheel, by registered parameter 0
WHEEL_RANGE: Final = ((101, 0), (100, 0), (6, 12), (38, 0))  # controllers and values
NOTES_PER_FILE: Final = 50


class RenderError(RuntimeError):
    """The soundfont could not be played; the message says what to install or what went wrong."""


def render_notes(
    notes: Sequence[Note], *, keys: Sequence[int], soundfont: Path, program: int, hop: int, sample_rate: int
) -> Iterator[NDArray[np.float32]]:
    """Each note's left channel from its onset to `TAIL_S` after its release: float32 [samples], a multiple of `hop`.

    Its release is shaped. `keys` are what is played for the notes: a key within an octave of the note's gives the
    recording that lies behind that key, bent to the note's pitch.

    Raises:
        RenderError: where FluidSynth or the soundfont is missing, fails, or plays nothing.
    """
    for first in range(0, len(notes), NOTES_PER_FILE):
        some = notes[first : first + NOTES_PER_FILE]
        with tempfile.TemporaryDirectory() as folder:
            midi, wav = Path(folder) / "notes.mid", Path(folder) / "notes.wav"
            onsets = write_midi(
                some, midi, keys=keys[first : first + NOTES_PER_FILE], program=program, hop=hop, sample_rate=sample_rate
            )
            play(midi, wav, soundfont=soundfont, sample_rate=sample_rate)
            audio, _ = soundfile.read(wav, dtype="float32", always_2d=True)
        for note, tick in zip(some, onsets, strict=True):
            length = note.held(hop, sample_rate) + round(TAIL_S * sample_rate / hop) * hop
            start = find_onset(audio[:, 0], tick * sample_rate // TICKS_PER_S, note, sample_rate)
            yield shape_release(audio[start : start + length, 0], note.held(hop, sample_rate), sample_rate)


def write_midi(
    notes: Sequence[Note], path: Path, *, keys: Sequence[int], program: int, hop: int, sample_rate: int
) -> list[int]:
    """Write the notes one after another; return the tick of each onset."""
    file = mido.MidiFile(ticks_per_beat=TICKS_PER_BEAT)
    track = mido.MidiTrack()
    file.tracks.append(track)
    track.append(mido.MetaMessage("set_tempo", tempo=TEMPO))
    track.append(mido.Message("program_change", program=program))
    for control, value in WHEEL_RANGE:
        track.append(mido.Message("control_change", control=control, value=value))
    onsets, now = [], 0
    for note, key in zip(notes, keys, strict=True):
        onset = now + round(REST_S * TICKS_PER_S)
        release = onset + round(note.held(hop, sample_rate) / sample_rate * TICKS_PER_S)
        silence = release + round((TAIL_S + REST_S / 4) * TICKS_PER_S)
        wheel = round(np.clip(100.0 * (note.pitch - key) / WHEEL_CENTS, -1, 1) * 8191)
        track.append(mido.Message("pitchwheel", pitch=wheel, time=onset - now - TICKS_PER_S // 100))
        track.append(mido.Message("note_on", note=key, velocity=note.velocity, time=TICKS_PER_S // 100))
        track.append(mido.Message("note_off", note=key, time=release - onset))
        track.append(mido.Message("control_change", control=ALL_SOUND_OFF, value=0, time=silence - release))
        onsets.append(onset)
        now = silence
    track.append(mido.MetaMessage("end_of_track", time=TICKS_PER_S))
    file.save(path)
    return onsets


def find_fluidsynth(soundfont: Path) -> str:
    """The program to play a soundfont with.

    Raises:
        RenderError: where it or the soundfont is missing, with what to install.
    """
    program = shutil.which("fluidsynth")
    if program is None:
        raise RenderError("fluidsynth is not installed; on Debian: apt install fluidsynth")
    if not soundfont.is_file():
        package = PACKAGES.get(soundfont.name)
        raise RenderError(f"no soundfont at {soundfont}" + (f"; on Debian: apt install {package}" if package else ""))
    return program


def play(midi: Path, wav: Path, *, soundfont: Path, sample_rate: int) -> None:
    """Play a MIDI file dry into a float WAV."""
    program = find_fluidsynth(soundfont)
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
