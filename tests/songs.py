"""Music to test with: "Frère Jacques" (public domain) as the round for four that it is, with all a MIDI file has."""

from __future__ import annotations

import io

import mido  # type: ignore[import-untyped]

TICKS = 480  # a beat
BAR = 4  # beats
PARTS = 4
PROGRAMS = (73, 68, 71, 40)  # flute, oboe, clarinet, violin
PASSES = 2  # of the tune, by each part, in one key
TONICS = (65, 68, 70, 73, 67, 75)  # the key moves on once all parts are through; the tune spans -5..+9 about it
BEATS_A_MINUTE = (72, 78, 70, 76)  # one a key
RELEASE = 0.4  # beats between the end of a note and the next one: a part takes one voice, its releases included

# (semitones above the tonic, beats), two bars a line
TUNE = (
    *((0, 1), (2, 1), (4, 1), (0, 1)) * 2,
    *((4, 1), (5, 1), (7, 2)) * 2,
    *((7, 0.5), (9, 0.5), (7, 0.5), (5, 0.5), (4, 1), (0, 1)) * 2,
    *((0, 1), (-5, 1), (0, 2)) * 2,
)
TUNE_BEATS = 8 * BAR
SECTION_BEATS = PASSES * TUNE_BEATS + (PARTS - 1) * 2 * BAR
SLOWING_BEATS = 2 * BAR  # at the end of a key


def canon(seconds: float) -> mido.MidiFile:
    """A format 1 file of about this length: notes 60..84, four at once, tempo changes, pedal and bends."""
    conductor, beats = _conductor(seconds)
    parts = [_part(number, beats) for number in range(PARTS)]
    return mido.MidiFile(type=1, ticks_per_beat=TICKS, tracks=[conductor, *parts])


def as_bytes(file: mido.MidiFile) -> bytes:
    """A MIDI file as it is on disk."""
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


def _conductor(seconds: float) -> tuple[mido.MidiTrack, float]:
    """The tempo track, and how many beats fit into so many seconds."""
    tempi: list[tuple[float, float]] = []  # (beat, beats a minute)
    elapsed, beat = 0.0, 0.0
    while elapsed < seconds:
        section, within = divmod(beat, SECTION_BEATS)
        slowed = max(0.0, within - (SECTION_BEATS - SLOWING_BEATS)) / SLOWING_BEATS
        tempo = BEATS_A_MINUTE[int(section) % len(BEATS_A_MINUTE)] * (1.0 - 0.25 * slowed)
        if not tempi or tempi[-1][1] != tempo:
            tempi.append((beat, tempo))
        elapsed += 60.0 / tempo
        beat += 1.0
    timed = [(at, mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(tempo))) for at, tempo in tempi]
    return _track([(0.0, mido.MetaMessage("time_signature", numerator=BAR, denominator=4)), *timed]), beat - 1.0


def _part(number: int, beats: float) -> mido.MidiTrack:
    """One part: it enters two bars after the one before, scoops into half notes and lets the pedal hold them."""
    timed: list[tuple[float, mido.Message]] = [
        (0.0, mido.Message("program_change", channel=number, program=PROGRAMS[number])),
        (0.0, mido.Message("control_change", channel=number, control=101, value=0)),
        (0.0, mido.Message("control_change", channel=number, control=100, value=0)),
        (0.0, mido.Message("control_change", channel=number, control=6, value=1 + number)),  # semitones of bend
    ]
    section = 0
    while section * SECTION_BEATS < beats:
        tonic = TONICS[section % len(TONICS)]
        start = float(section * SECTION_BEATS + number * 2 * BAR)
        for _ in range(PASSES):
            start = _tune(timed, number, tonic, start, beats)
        section += 1
    return _track(timed)


def _tune(timed: list[tuple[float, mido.Message]], channel: int, tonic: int, start: float, end: float) -> float:
    """Write the tune from beat `start` on, as far as it is over by `end`; return the beat after it."""
    for semitones, length in TUNE:
        held = length - RELEASE
        if start + length <= end:
            note, velocity = tonic + semitones, 72 + 8 * channel + (12 if start % BAR == 0 else 0)
            timed.append((start, mido.Message("note_on", channel=channel, note=note, velocity=velocity)))
            timed.append((start + held, mido.Message("note_on", channel=channel, note=note, velocity=0)))
        if length == 2 and start + length <= end:
            scoop = [(start + step / 16, -2048 + 512 * step) for step in range(5)]
            timed.extend((at, mido.Message("pitchwheel", channel=channel, pitch=pitch)) for at, pitch in scoop)
            pedal = ((start + 0.5, 127), (start + 1.5, 0))
            timed.extend((at, mido.Message("control_change", channel=channel, control=64, value=v)) for at, v in pedal)
        start += length
    return start


def _track(timed: list[tuple[float, mido.Message]]) -> mido.MidiTrack:
    """A track of messages at beats."""
    track, last = mido.MidiTrack(), 0
    for beat, message in sorted(timed, key=lambda entry: entry[0]):
        tick = round(beat * TICKS)
        track.append(message.copy(time=tick - last))
        last = tick
    return track
