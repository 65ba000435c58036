from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.models.config import GlobalConditioning, Instrument, ModelConfig
from ostinato.models.registry import random_config
from ostinato.server.protocol import ControlUpdate, Event, NoteOff, NoteOn
from ostinato.server.score import (
    PlacedNote,
    Score,
    ScoreError,
    ScoreLimits,
    TimedNote,
    compose,
    from_notes,
    release_samples,
)

MODEL = random_config("tiny")
HOP = MODEL.network.hop
RATE = MODEL.network.sample_rate


def duet() -> ModelConfig:
    """A model of two instruments with ranges."""
    network = MODEL.network.model_copy(update={"global_": GlobalConditioning(entries=2)})
    flute = Instrument(name="flute", low=60, high=96, programs=(73, 72))
    cello = Instrument(name="cello", low=36, high=72, programs=(42,))
    return MODEL.model_copy(update={"network": network, "instruments": (flute, cello)})


def placed(on: int, off: int, note: float = 60.0, **more: object) -> PlacedNote:
    return PlacedNote(note, 0.5, on, off, **more)  # type: ignore[arg-type]


def described(score: Score) -> list[tuple[str, int | None]]:
    return [(event.event_id, event.at_sample) for event in score.events]


def test_a_note_begins_and_ends_on_hop_boundaries_and_the_score_lasts_until_it_is_silent() -> None:
    score = from_notes([TimedNote(60.5, duration_s=1.0, start_s=0.5, velocity=0.25)], MODEL)
    on, off = score.events
    assert isinstance(on, NoteOn)
    assert isinstance(off, NoteOff)
    assert (on.note, on.velocity, on.voice_id) == (60.5, 0.25, off.voice_id)
    assert (on.at_sample, off.at_sample) == (345 * HOP, 1034 * HOP)  # 22050 / 64 = 344.5, 66150 / 64 = 1033.6
    assert score.samples == 1034 * HOP + release_samples(MODEL)
    assert (score.voices, score.notes, score.warnings) == (1, 1, ())


def test_the_release_is_the_model_s_rounded_up_to_hops() -> None:
    assert release_samples(MODEL.model_copy(update={"release_s": 64 / 44100})) == 64
    assert release_samples(MODEL.model_copy(update={"release_s": 65 / 44100})) == 128


def test_a_note_shorter_than_a_hop_lasts_one() -> None:
    assert described(compose([placed(1, 2)], MODEL)) == [("n0.on", HOP), ("n0.off", 2 * HOP)]


def test_notes_that_start_together_keep_their_order_and_others_are_sorted() -> None:
    score = compose([placed(640, 1280), placed(0, 64, 70), placed(0, 64, 50)], MODEL)
    assert [e.note for e in score.events if isinstance(e, NoteOn)] == [70, 50, 60]


def test_at_one_sample_what_ends_comes_before_what_begins() -> None:
    score = compose([placed(0, 640), placed(640, 1280, bends=((640, 50.0),))], MODEL)
    assert [name for name, _ in described(score)] == ["n0.on", "n0.off", "n1.on", "n1.bend0", "n1.off"]


def test_the_instrument_is_chosen_before_the_note_and_only_where_it_changes() -> None:
    notes = [TimedNote(60, 0.1), TimedNote(40, 0.1, 1.0, instrument="cello"), TimedNote(41, 0.1, 2.0, instrument=1)]
    score = from_notes([*notes, TimedNote(62, 0.1, 3.0, instrument="flute")], duet())
    steered = [(e.params, e.at_sample) for e in score.events if isinstance(e, ControlUpdate)]
    assert steered == [({"instrument": 1.0}, 44160 - 44160 % HOP), ({"instrument": 0.0}, 132352 - 132352 % HOP)]
    order = [e.type for e in score.events]
    assert order[2:4] == ["control.update", "note.on"]


def test_bends_reach_their_own_note_once_a_hop_and_only_while_it_sounds() -> None:
    end = 6400 + release_samples(MODEL)
    bends = ((0, 0.0), (70, 10.0), (100, 20.0), (3200, 20.0), (end - HOP, 5000.0), (end - 1, 7.0), (end + 1, 9.0))
    score = compose([placed(0, 6400, bends=bends)], MODEL)
    heard = [(e.at_sample, e.params["bend"], e.voice_id) for e in score.events if isinstance(e, ControlUpdate)]
    assert heard == [(2 * HOP, 20.0, "n0"), (end - HOP, 2400.0, "n0")]


def test_voices_are_counted_with_their_releases() -> None:
    release = release_samples(MODEL)
    apart = compose([placed(0, 640), placed(640 + release, 640 + release + 640)], MODEL)
    close = compose([placed(0, 640), placed(640 + release - 1, 640 + release + 640)], MODEL)
    assert (apart.voices, compose([placed(0, 640), placed(640, 1280)], MODEL).voices) == (1, 2)
    assert close.voices == 1  # moved to the boundary on which the first one ends


def test_more_voices_than_allowed_are_named_in_a_warning() -> None:
    score = compose([placed(0, 640, 60 + i) for i in range(20)], MODEL)
    assert score.voices == 16
    assert "20 voices at once, 16 are played" in score.warnings[0]


def test_notes_out_of_range_are_played_and_named() -> None:
    score = from_notes([TimedNote(50, 0.1), TimedNote(100, 0.1), TimedNote(70, 0.1)], duet())
    assert score.notes == 3
    assert score.warnings == ("2 notes outside 60..96, the range of flute: played all the same",)


@pytest.mark.parametrize(
    ("note", "param"),
    [
        (TimedNote(200, 1.0), "notes[1].note"),
        (TimedNote(float("nan"), 1.0), "notes[1].note"),
        (TimedNote(60, -1.0), "notes[1].duration_s"),
        (TimedNote(60, 0.0), "notes[1].duration_s"),
        (TimedNote(60, float("inf")), "notes[1].duration_s"),
        (TimedNote(60, 1.0, start_s=-0.1), "notes[1].start_s"),
        (TimedNote(60, 1.0, velocity=1.5), "notes[1].velocity"),
        (TimedNote(60, 1.0, instrument="kazoo"), "notes[1].instrument"),
        (TimedNote(60, 1.0, instrument=7), "notes[1].instrument"),
    ],
)
def test_a_bad_note_is_refused_by_field_and_value(note: TimedNote, param: str) -> None:
    with pytest.raises(ScoreError, match=r"^notes") as refusal:
        from_notes([TimedNote(60, 1.0), note], MODEL)
    assert refusal.value.param == param


@pytest.mark.parametrize(
    ("notes", "limits", "param"),
    [
        ([], ScoreLimits(), "notes"),
        ([TimedNote(60, 1.0)] * 3, ScoreLimits(notes=2), "notes"),
        ([TimedNote(60, 1.0)] * 3, ScoreLimits(events=5), "events"),
        ([TimedNote(60, 1.0)] * 3, ScoreLimits(events_at_once=2), "events"),
        ([TimedNote(60, 3599.9)], ScoreLimits(), "duration_s"),
    ],
)
def test_a_score_past_a_limit_is_refused(notes: list[TimedNote], limits: ScoreLimits, param: str) -> None:
    with pytest.raises(ScoreError) as refusal:
        from_notes(notes, MODEL, limits)
    assert refusal.value.param == param


NOTES = st.builds(
    PlacedNote,
    note=st.floats(0, 127),
    velocity=st.floats(0, 1),
    on=st.integers(0, 50_000),
    off=st.integers(0, 60_000),
    instrument=st.just(0),
    bends=st.lists(st.tuples(st.integers(0, 60_000), st.floats(-9000, 9000)), max_size=5).map(
        lambda bends: tuple(sorted(bends))
    ),
)


@given(st.lists(NOTES, min_size=1, max_size=20))
def test_events_stand_on_hops_in_order_each_note_on_before_its_own(notes: list[PlacedNote]) -> None:
    score = compose(notes, MODEL)
    times = [event.at_sample or 0 for event in score.events]
    assert times == sorted(times)
    assert all(sample % HOP == 0 for sample in times)
    assert score.samples == max(times[i] for i in _offs(score.events)) + release_samples(MODEL)
    for event in score.events:
        if isinstance(event, NoteOn):
            own = [e for e in score.events if getattr(e, "voice_id", None) == event.voice_id]
            assert own[0] is event
            assert sum(isinstance(e, NoteOff) for e in own) == 1
            bends = [e.at_sample for e in own if isinstance(e, ControlUpdate)]
            assert len(set(bends)) == len(bends)
    assert len({event.event_id for event in score.events}) == len(score.events)


def _offs(events: tuple[Event, ...]) -> list[int]:
    return [i for i, event in enumerate(events) if isinstance(event, NoteOff)]
