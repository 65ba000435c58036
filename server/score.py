"""Scores: notes at exact samples -> the events that play them, how long they sound, how many voices they take.

A score knows all of its times before anything is drawn: every event stands on a hop boundary, so what a server
streams and what is rendered offline apply the same events at the same samples.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from ostinato.models.config import Instrument
from ostinato.models.controls import next_hop
from ostinato.server.protocol import ControlUpdate, Event, NoteOff, NoteOn

BEND_LIMIT: Final = 2400.0  # cents, the range of the control


class ScoreError(ValueError):
    """A score that can't be played; `param` names the field at fault."""

    def __init__(self, param: str, message: str) -> None:
        super().__init__(f"{param}: {message}")
        self.param = param


class Clocked(Protocol):
    """What a score must know of a network."""

    @property
    def sample_rate(self) -> int:
        """Hz."""
        ...

    @property
    def hop(self) -> int:
        """Samples; events land on its multiples."""
        ...


class Playable(Protocol):
    """What a score must know of a model. A ModelConfig is one; a client makes one of what a server tells."""

    @property
    def name(self) -> str:
        """For errors."""
        ...

    @property
    def release_s(self) -> float:
        """How long a voice sounds after its note.off, seconds."""
        ...

    @property
    def instruments(self) -> Sequence[Instrument]:
        """At least one."""
        ...

    @property
    def network(self) -> Clocked:
        """Its rate and hop."""
        ...


@dataclass(frozen=True, slots=True)
class ScoreLimits:
    """How much one score may ask for; what goes beyond is refused, except for voices, which are stolen."""

    file_bytes: int = 1 << 20  # of a MIDI file
    notes: int = 20_000
    events: int = 200_000  # of notes and bends together
    events_at_once: int = 4096  # on one hop boundary; a session lets twice as many wait
    duration_s: float = 3600.0
    voices: int = 16


DEFAULT_LIMITS: Final = ScoreLimits()


@dataclass(frozen=True, slots=True)
class TimedNote:
    """A note as people write it: in seconds, the instrument by name or index (None: the model's first)."""

    note: float  # MIDI number, fractions allowed, 0..127
    duration_s: float  # > 0
    start_s: float = 0.0  # >= 0
    velocity: float = 0.8  # 0..1
    instrument: str | int | None = None


@dataclass(frozen=True, slots=True)
class PlacedNote:
    """A note in samples, with the pitch bends that it hears. `on` and `off` need not lie on hop boundaries."""

    note: float  # MIDI number
    velocity: float  # 0..1
    on: int  # sample
    off: int  # sample
    instrument: int = 0  # index
    bends: tuple[tuple[int, float], ...] = ()  # (sample, cents), in order of time


@dataclass(frozen=True, slots=True)
class Score:
    """Events in the order they apply, and what a session must reserve to play them."""

    events: tuple[Event, ...]  # `at_sample` is set in every one
    samples: int  # the whole length, releases included; a multiple of the hop
    voices: int  # enough that no note is stolen, unless a warning says otherwise
    notes: int
    warnings: tuple[str, ...] = ()


def release_samples(model: Playable) -> int:
    """How long a voice sounds after its note.off: a whole number of hops."""
    return next_hop(math.ceil(model.release_s * model.network.sample_rate), model.network.hop)


def from_notes(notes: Iterable[TimedNote], model: Playable, limits: ScoreLimits = DEFAULT_LIMITS) -> Score:
    """A score of notes in any order; those that start together are voiced in the order given.

    Raises:
        ScoreError: where a value is out of its range or a limit is passed; `param` is like `notes[3].velocity`.
    """
    rate = model.network.sample_rate
    placed = []
    for i, note in enumerate(notes):
        if i == limits.notes:
            raise ScoreError("notes", f"more than {limits.notes}, the most that a score may have")
        _check_note(note, f"notes[{i}]", limits)
        on, off = round(note.start_s * rate), round((note.start_s + note.duration_s) * rate)
        instrument = _instrument_index(note.instrument, model, f"notes[{i}].instrument")
        placed.append(PlacedNote(note.note, note.velocity, on, off, instrument))
    return compose(placed, model, limits)


def _check_note(note: TimedNote, path: str, limits: ScoreLimits) -> None:
    for name, value, low, high in (
        ("note", note.note, 0.0, 127.0),
        ("velocity", note.velocity, 0.0, 1.0),
        ("start_s", note.start_s, 0.0, limits.duration_s),
        ("duration_s", note.duration_s, 0.0, limits.duration_s),
    ):
        if not low <= value <= high:  # NaN fails too
            raise ScoreError(f"{path}.{name}", f"{value} is outside {low:g}..{high:g}")
    if note.duration_s == 0.0:
        raise ScoreError(f"{path}.duration_s", "0 is no duration")


def _instrument_index(instrument: str | int | None, model: Playable, param: str) -> int:
    names = [entry.name for entry in model.instruments]
    if instrument is None:
        return 0
    if isinstance(instrument, str) and instrument in names:
        return names.index(instrument)
    if isinstance(instrument, int) and 0 <= instrument < len(names):
        return instrument
    raise ScoreError(param, f"{instrument!r} is not known; {model.name} has {', '.join(names)}")


def compose(
    notes: Sequence[PlacedNote],
    model: Playable,
    limits: ScoreLimits = DEFAULT_LIMITS,
    warnings: Iterable[str] = (),
) -> Score:
    """The score of placed notes: every note a voice of its own, every time moved to the next hop boundary.

    Raises:
        ScoreError: where there is no note, or a limit is passed.
    """
    hop, rate, release = model.network.hop, model.network.sample_rate, release_samples(model)
    if not notes:
        raise ScoreError("notes", "none that can be played")
    spans = []
    for note in sorted(notes, key=lambda n: n.on):  # stable: notes that start together keep their order
        on = next_hop(note.on, hop)
        spans.append((on, max(next_hop(note.off, hop), on + hop), note))
    samples = max(off for _, off, _ in spans) + release
    if samples > limits.duration_s * rate:
        raise ScoreError("duration_s", f"{samples / rate:.3f} is more than {limits.duration_s:g}")
    needed = _most_at_once([(on, off + release) for on, off, _ in spans])
    return Score(
        events=_events(spans, model, limits),
        samples=samples,
        voices=min(needed, limits.voices),
        notes=len(notes),
        warnings=(*warnings, *_range_warnings(notes, model), *_voice_warnings(needed, limits)),
    )


def _events(spans: Sequence[tuple[int, int, PlacedNote]], model: Playable, limits: ScoreLimits) -> tuple[Event, ...]:
    """At one sample: note.offs and bends of what sounds already, then note.ons, each with what it starts with."""
    timed: list[tuple[int, bool, Event]] = []  # (sample, whether it belongs to a beginning, event)
    instrument = 0
    for i, (on, off, note) in enumerate(spans):
        if note.instrument != instrument:
            instrument = note.instrument
            choice = {"instrument": float(instrument)}
            timed.append((on, True, ControlUpdate(event_id=f"n{i}.instrument", params=choice, at_sample=on)))
        timed.extend((sample, sample == on, event) for sample, event in _voice_events(f"n{i}", on, off, note, model))
        if len(timed) > limits.events:
            raise ScoreError("events", f"more than {limits.events}, the most that a score may have")
    sample, crowd = Counter(sample for sample, _, _ in timed).most_common(1)[0]
    if crowd > limits.events_at_once:
        raise ScoreError("events", f"{crowd} at sample {sample}, {limits.events_at_once} are the most at once")
    timed.sort(key=lambda entry: entry[:2])
    return tuple(event for _, _, event in timed)


def _voice_events(voice: str, on: int, off: int, note: PlacedNote, model: Playable) -> Iterator[tuple[int, Event]]:
    """Everything one note is told, each with its sample."""
    pitch, velocity = note.note, note.velocity
    yield on, NoteOn(event_id=f"{voice}.on", note=pitch, velocity=velocity, voice_id=voice, at_sample=on)
    for i, (sample, cents) in enumerate(_heard_bends(note, on, off + release_samples(model), model.network.hop)):
        steer = {"bend": cents}
        yield sample, ControlUpdate(event_id=f"{voice}.bend{i}", params=steer, voice_id=voice, at_sample=sample)
    yield off, NoteOff(event_id=f"{voice}.off", note=pitch, voice_id=voice, at_sample=off)


def _heard_bends(note: PlacedNote, on: int, end: int, hop: int) -> list[tuple[int, float]]:
    """The bends from on to end, the last of each hop, without those that change nothing."""
    at_hop: dict[int, float] = {}
    for sample, cents in note.bends:
        at_hop[max(next_hop(sample, hop), on)] = min(max(cents, -BEND_LIMIT), BEND_LIMIT)
    heard: list[tuple[int, float]] = []
    for sample, cents in at_hop.items():
        if sample < end and cents != (heard[-1][1] if heard else 0.0):
            heard.append((sample, cents))
    return heard


def _most_at_once(spans: Iterable[tuple[int, int]]) -> int:
    """The most intervals [start, end) that hold one sample."""
    changes = sorted(change for start, end in spans for change in ((start, 1), (end, -1)))  # ends come first
    most = sounding = 0
    for _, change in changes:
        sounding += change
        most = max(most, sounding)
    return most


def _range_warnings(notes: Sequence[PlacedNote], model: Playable) -> list[str]:
    warnings = []
    for i, instrument in enumerate(model.instruments):
        outside = sum(n.instrument == i and not instrument.low <= n.note <= instrument.high for n in notes)
        if outside:
            warnings.append(
                f"{outside} notes outside {instrument.low:g}..{instrument.high:g}, the range of {instrument.name}: "
                "played all the same"
            )
    return warnings


def _voice_warnings(needed: int, limits: ScoreLimits) -> list[str]:
    if needed <= limits.voices:
        return []
    return [f"{needed} voices at once, {limits.voices} are played: the earliest released, else the oldest, give way"]
