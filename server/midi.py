"""MIDI files -> scores: tempo maps, programs, velocity, sustain pedal, pitch bend with its range.

What a channel does to all of its notes is resolved here: the pedal into the times at which notes are let go, bends
into each note's own. What can't be played is counted and named in a warning.
"""

from __future__ import annotations

import io
import re
import struct
from collections import Counter, deque
from collections.abc import Iterator
from typing import Any, Final, TypeAlias

import mido  # type: ignore[import-untyped]
from mido.midifiles.meta import KeySignatureError  # type: ignore[import-untyped]

from ostinato.server.midi_channel import Channel, Sounding
from ostinato.server.score import (
    DEFAULT_LIMITS,
    PlacedNote,
    Playable,
    Score,
    ScoreError,
    ScoreLimits,
    compose,
    release_samples,
)

PERCUSSION: Final = 9  # channel 10, counted from 0
LONGEST_DELTA: Final = 0x0FFFFFFF  # ticks: four bytes of seven bits
DEFAULT_TEMPO: Final = 500_000  # microseconds a beat
BEND_RANGE: Final = (0, 0)  # the registered parameter that sets it, coarse and fine
PEDAL_DOWN: Final = 64

# mido reads a number byte by byte for as long as the high bit is set, in time that grows with the square of the run.
# No file needs more than 4 such bytes for a number, and few need many for a text.
ENDLESS_NUMBER: Final = re.compile(rb"(?<![\x80-\xff])[\x80-\xff]{4097}")

# What mido raises on bytes that are no MIDI file: its own checks, short reads, and short or odd meta events.
UNREADABLE: Final = (EOFError, OSError, ValueError, LookupError, TypeError, struct.error, KeySignatureError)


class Controller:
    """The numbers of the controllers that are played."""

    DATA_COARSE: Final = 6
    DATA_FINE: Final = 38
    SUSTAIN: Final = 64
    NRPN_FINE: Final = 98
    NRPN_COARSE: Final = 99
    RPN_FINE: Final = 100
    RPN_COARSE: Final = 101
    SOUND_OFF: Final = 120
    RESET: Final = 121
    NOTES_OFF: Final = 123


Message: TypeAlias = Any  # mido has no types: `type` says which fields there are


def from_midi(data: bytes, model: Playable, limits: ScoreLimits = DEFAULT_LIMITS) -> Score:
    """The score of a MIDI file of format 0 or 1.

    Raises:
        ScoreError: where it is too big, no MIDI file, truncated, of another kind, or has nothing to play.
    """
    file = _read(data, limits)
    transcript = _Transcript(model, limits)
    sample = 0
    for sample, message in _in_samples(file, model.network.sample_rate, limits):
        transcript.take(sample, message)
    transcript.close(sample)
    return compose(transcript.notes(), model, limits, transcript.warnings())


def _read(data: bytes, limits: ScoreLimits) -> mido.MidiFile:
    if len(data) > limits.file_bytes:
        raise ScoreError("midi", f"{len(data)} bytes, {limits.file_bytes} are the most")
    if data[:4] != b"MThd":
        raise ScoreError("midi", f"not a MIDI file: it begins with {data[:4]!r}, not b'MThd'")
    if run := ENDLESS_NUMBER.search(data):
        raise ScoreError("midi", f"a number without an end at byte {run.start()}")
    try:
        file = mido.MidiFile(file=io.BytesIO(data))
    except EOFError as error:
        raise ScoreError("midi", f"truncated: it ends at byte {len(data)}, within a chunk that goes on") from error
    except UNREADABLE as error:
        raise ScoreError("midi", f"not readable: {error or type(error).__name__}") from error
    if file.type not in (0, 1):
        raise ScoreError("midi.format", f"{file.type} is not played, only 0 and 1 are")
    if file.ticks_per_beat <= 0:
        kind = f"SMPTE, {-(file.ticks_per_beat >> 8)} frames a second" if file.ticks_per_beat else "0 ticks"
        raise ScoreError("midi.division", f"{kind}; only ticks a beat are read")
    return file


def _in_samples(file: mido.MidiFile, rate: int, limits: ScoreLimits) -> Iterator[tuple[int, Message]]:
    """The messages of all tracks in order of time, each with its sample, by the tempi of all tracks.

    Times are summed in microseconds x ticks, whole numbers, so no rounding adds up.
    """
    timed: list[tuple[int, Message]] = []
    for number, track in enumerate(file.tracks):
        tick = 0
        for message in track:
            if message.time > LONGEST_DELTA:
                raise ScoreError("midi", f"track {number} waits more than {LONGEST_DELTA} ticks at once")
            tick += message.time
            timed.append((tick, message))
    timed.sort(key=lambda entry: entry[0])  # stable: at one tick, by track and then as written
    unit = file.ticks_per_beat * 1_000_000
    last, elapsed, tempo = 0, 0, DEFAULT_TEMPO
    for tick, message in timed:
        elapsed += (tick - last) * tempo
        last = tick
        sample = (2 * elapsed * rate + unit) // (2 * unit)
        if sample > limits.duration_s * rate:
            raise ScoreError("duration_s", f"{sample / rate:.3f} is more than {limits.duration_s:g}")
        if message.type == "set_tempo":
            tempo = message.tempo
            if tempo == 0:
                raise ScoreError("midi.tempo", f"0 microseconds a beat at tick {tick}")
        yield sample, message


class _Transcript:
    """Follows the messages of a file and writes down its notes."""

    def __init__(self, model: Playable, limits: ScoreLimits) -> None:
        self._limits = limits
        self._release = release_samples(model)
        self._instruments = {program: i for i, entry in enumerate(model.instruments) for program in entry.programs}
        self._default = model.instruments[0].name
        self._channels = [Channel() for _ in range(16)]
        self._written: list[Sounding] = []
        self._bends = 0
        self._hanging = 0
        self._substituted: Counter[int] = Counter()  # notes, by program
        self._unplayed: Counter[str] = Counter()  # messages, by what they are

    def take(self, sample: int, message: Message) -> None:
        """Follow one message, heard at this sample."""
        if message.type == "unknown_meta":  # mido 1.3 forgets the time before one
            self._unplayed["meta event of unknown type; what follows may come early"] += 1
        if message.is_meta or message.type == "sysex":
            return
        if not hasattr(message, "channel"):
            self._unplayed[message.type] += 1
        elif message.channel == PERCUSSION:
            self._unplayed["note on channel 10 (percussion)"] += message.type == "note_on" and message.velocity > 0
        else:
            self._take_on(self._channels[message.channel], sample, message)

    def _take_on(self, channel: Channel, sample: int, message: Message) -> None:
        match message.type:
            case "note_on" if message.velocity:
                self._begin(channel, sample, message.note, message.velocity)
            case "note_on" | "note_off":
                if notes := channel.held.get(message.note):
                    channel.let_go(sample, notes.popleft())
            case "pitchwheel":
                channel.wheel = message.pitch
                self._bend(channel, sample)
            case "program_change":
                channel.program = message.program
            case "control_change":
                self._control(channel, sample, message.control, message.value)
            case other:
                self._unplayed[other] += 1

    def _begin(self, channel: Channel, sample: int, key: int, velocity: int) -> None:
        if len(self._written) == self._limits.notes:
            raise ScoreError("notes", f"more than {self._limits.notes}, the most that a score may have")
        for note in channel.pedalled.pop(key, ()):  # as on a piano, a key struck again stops its own string
            channel.end(sample, note)
        if channel.program is not None and channel.program not in self._instruments:
            self._substituted[channel.program] += 1
        instrument = self._instruments.get(channel.program or 0, 0)
        note = Sounding(key, velocity, instrument, sample, bends=[(sample, channel.bend)])
        channel.held.setdefault(key, deque()).append(note)
        self._written.append(note)

    def _bend(self, channel: Channel, sample: int) -> None:
        heard_on = channel.audible(sample, self._release)
        self._bends += len(heard_on)
        if self._bends > self._limits.events:
            raise ScoreError(
                "events", f"more than {self._limits.events} bends of notes, the most that a score may have"
            )
        for note in heard_on:
            note.bends.append((sample, channel.bend))

    def _control(self, channel: Channel, sample: int, control: int, value: int) -> None:
        match control:
            case Controller.SUSTAIN:
                channel.press(sample, down=value >= PEDAL_DOWN)
            case Controller.RPN_COARSE:
                channel.parameter = (value, channel.parameter[1])
            case Controller.RPN_FINE:
                channel.parameter = (channel.parameter[0], value)
            case Controller.NRPN_COARSE | Controller.NRPN_FINE:
                channel.parameter = (None, None)
            case Controller.DATA_COARSE | Controller.DATA_FINE if channel.parameter == BEND_RANGE:
                channel.set_bend_range(coarse=control == Controller.DATA_COARSE, value=value)
                self._bend(channel, sample)
            case Controller.RESET:
                channel.wheel, channel.parameter = 0, (None, None)
                channel.press(sample, down=False)
                self._bend(channel, sample)
            case Controller.NOTES_OFF:
                channel.let_all_go(sample)
            case Controller.SOUND_OFF:
                channel.let_all_go(sample)
                channel.lift(sample)
            case _:
                self._unplayed[f"controller {control}"] += 1

    def close(self, sample: int) -> None:
        """End at this sample whatever still sounds."""
        for channel in self._channels:
            self._hanging += sum(map(len, channel.held.values()))
            channel.let_all_go(sample)
            channel.lift(sample)

    def notes(self) -> list[PlacedNote]:
        """All notes, in the order in which they began."""
        return [
            PlacedNote(n.key, n.velocity / 127.0, n.on, n.on if n.off is None else n.off, n.instrument, tuple(n.bends))
            for n in self._written
        ]

    def warnings(self) -> list[str]:
        """What was not played as written, each once, with how often."""
        return [
            *(
                f"program {program} is no instrument of this model: {count} notes are played on {self._default}"
                for program, count in sorted(self._substituted.items())
            ),
            *([f"{self._hanging} notes without an end: let go at the end of the file"] if self._hanging else []),
            *(f"not played: {count} x {what}" for what, count in sorted(self._unplayed.items()) if count),
        ]
