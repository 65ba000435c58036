from __future__ import annotations

import struct
import time

import mido  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.models.config import GlobalConditioning, Instrument, ModelConfig
from ostinato.models.controls import next_hop
from ostinato.models.registry import random_config
from ostinato.server.midi import from_midi
from ostinato.server.protocol import ControlUpdate, NoteOff, NoteOn
from ostinato.server.score import Score, ScoreError, ScoreLimits, release_samples
from tests.songs import as_bytes, canon

TINY = random_config("tiny")
MODEL: ModelConfig = TINY.model_copy(
    update={
        "network": TINY.network.model_copy(update={"global_": GlobalConditioning(entries=2)}),
        "instruments": (Instrument(name="flute", programs=(73,)), Instrument(name="cello", programs=(42, 43))),
    }
)
BEAT = 22050  # samples, at 120 beats a minute


def at(samples: float) -> int:
    return next_hop(round(samples), MODEL.network.hop)


def on(note: int, time: int = 0, velocity: int = 127, channel: int = 0) -> mido.Message:
    return mido.Message("note_on", note=note, velocity=velocity, time=time, channel=channel)


def off(note: int, time: int = 480, channel: int = 0) -> mido.Message:
    return mido.Message("note_off", note=note, time=time, channel=channel)


def control(number: int, value: int, time: int = 0, channel: int = 0) -> mido.Message:
    return mido.Message("control_change", control=number, value=value, time=time, channel=channel)


def wheel(pitch: int, time: int = 0) -> mido.Message:
    return mido.Message("pitchwheel", pitch=pitch, time=time)


def tempo(microseconds: int, time: int = 0) -> mido.MetaMessage:
    return mido.MetaMessage("set_tempo", tempo=microseconds, time=time)


def written(*tracks: list[mido.Message], format: int = 1, division: int = 480) -> bytes:  # noqa: A002
    file = mido.MidiFile(type=format, ticks_per_beat=division)
    file.tracks = [mido.MidiTrack(track) for track in tracks]
    return as_bytes(file)


def read(*tracks: list[mido.Message]) -> Score:
    return from_midi(written(*tracks), MODEL)


def ons(score: Score) -> list[tuple[float, int | None]]:
    return [(e.note, e.at_sample) for e in score.events if isinstance(e, NoteOn)]


def offs(score: Score) -> list[tuple[str | None, int | None]]:
    return [(e.voice_id, e.at_sample) for e in score.events if isinstance(e, NoteOff)]


def bends(score: Score) -> list[tuple[str | None, float | str, int | None]]:
    return [
        (e.voice_id, e.params["bend"], e.at_sample)
        for e in score.events
        if isinstance(e, ControlUpdate) and "bend" in e.params
    ]


def test_notes_last_as_long_as_written_and_velocity_runs_to_one() -> None:
    score = read([on(60, velocity=127), off(60), on(62, velocity=1), on(62, 240, velocity=0)])
    assert ons(score) == [(60, 0), (62, at(BEAT))]
    assert offs(score) == [("n0", at(BEAT)), ("n1", at(1.5 * BEAT))]
    assert [e.velocity for e in score.events if isinstance(e, NoteOn)] == [1.0, 1 / 127]
    assert score.samples == at(1.5 * BEAT) + release_samples(MODEL)


def test_formats_0_and_1_read_the_same() -> None:
    melody = [on(60), off(60)]
    assert from_midi(written(melody, format=0), MODEL) == from_midi(written(melody, format=1), MODEL)


def test_the_tempi_of_every_track_hold_for_all_tracks() -> None:
    score = read([tempo(250_000), tempo(1_000_000, 480)], [on(60, 480), off(60, 240)], [tempo(500_000, 720), on(64)])
    assert ons(score) == [(60, at(11025)), (64, at(33075))]
    assert offs(score)[0] == ("n0", at(33075))


def test_times_do_not_drift_over_many_uneven_tempi() -> None:
    tempi = [tempo(333_333 + i, 1) for i in range(20_000)]
    score = from_midi(written(tempi, [on(60, 20_000), off(60)], division=7), MODEL)
    microseconds = 500_000 + sum(333_333 + i for i in range(19_999))
    assert ons(score) == [(60, at(microseconds * 44_100 / 7_000_000))]


def test_programs_choose_instruments_and_unknown_ones_the_first() -> None:
    def play(program: int, channel: int) -> list[mido.Message]:
        return [mido.Message("program_change", program=program, channel=channel), on(60, channel=channel)]

    score = read(play(43, 0), play(73, 1), play(40, 2), [on(70, channel=3)])
    chosen = [e.params["instrument"] for e in score.events if isinstance(e, ControlUpdate)]
    assert chosen == [1.0, 0.0]
    assert "program 40 is no instrument of this model: 1 notes are played on flute" in score.warnings
    assert sum("program" in warning for warning in score.warnings) == 1


def test_the_pedal_holds_notes_until_it_is_lifted() -> None:
    score = read([on(60), control(64, 64, 240), off(60, 240), on(62), off(62, 480), control(64, 63, 480)])
    assert offs(score) == [("n0", at(3 * BEAT)), ("n1", at(3 * BEAT))]


def test_a_key_struck_again_under_the_pedal_stops_its_own_string() -> None:
    score = read([control(64, 127), on(60), off(60, 240), on(60, 240), off(60, 240)])
    assert offs(score) == [("n0", at(BEAT)), ("n1", at(1.5 * BEAT))]


def test_a_pedal_is_of_its_own_channel() -> None:
    score = read([control(64, 127, channel=1), on(60), off(60), control(64, 0, 480, channel=1)])
    assert offs(score) == [("n0", at(BEAT))]


def test_bends_follow_the_wheel_within_two_semitones_and_start_with_the_note() -> None:
    score = read([wheel(-8192), on(60), wheel(4096, 240), off(60, 240), on(62)])
    assert bends(score)[:2] == [("n0", -200.0, 0), ("n0", 100.0, at(BEAT / 2))]
    assert bends(score)[2:] == [("n1", 100.0, at(BEAT))]


def test_the_bend_range_is_set_by_its_registered_parameter() -> None:
    select = [control(101, 0), control(100, 0), control(6, 12), control(38, 50)]
    score = read([*select, wheel(4096), on(60), control(6, 2, 480), off(60)])
    assert bends(score) == [("n0", 625.0, 0), ("n0", 125.0, at(BEAT))]


def test_another_parameter_leaves_the_bend_range_alone() -> None:
    score = read([control(101, 0), control(100, 0), control(99, 0), control(6, 12), wheel(4096), on(60), off(60)])
    assert bends(score) == [("n0", 100.0, 0)]


def test_a_bend_is_heard_by_what_sounds_or_rings_on_its_channel_alone() -> None:
    notes = [on(60), off(60, 480), on(62), on(64, channel=1), wheel(8191, 48), off(62, 960), off(64, 0, channel=1)]
    score = read(notes)
    assert [voice for voice, _, _ in bends(score)] == ["n0", "n1"]
    assert bends(score)[0][1] == pytest.approx(200.0, abs=0.03)


def test_the_same_note_twice_is_paired_first_in_first_out() -> None:
    score = read([on(60), on(60, 480), off(60, 480), off(60, 480)])
    assert offs(score) == [("n0", at(2 * BEAT)), ("n1", at(3 * BEAT))]


def test_hanging_notes_end_with_the_file() -> None:
    score = read([on(60), on(62, 480)], [mido.MetaMessage("end_of_track", time=960)])
    assert offs(score) == [("n0", at(2 * BEAT)), ("n1", at(2 * BEAT))]
    assert score.warnings == ("2 notes without an end: let go at the end of the file",)


@pytest.mark.parametrize("controller", [120, 123])
def test_all_off_ends_what_is_held(controller: int) -> None:
    score = read([on(60), control(controller, 0, 480), on(62, 480), off(62)])
    assert offs(score)[0] == ("n0", at(BEAT))
    assert not score.warnings


def test_a_reset_of_controllers_lifts_the_pedal_and_centres_the_wheel() -> None:
    score = read([wheel(8191), control(64, 127), on(60), off(60, 240), on(62), control(121, 0, 240), off(62)])
    assert offs(score)[0] == ("n0", at(BEAT))
    assert bends(score)[-1] == ("n1", 0.0, at(BEAT))


def test_what_is_not_played_is_named_once_with_its_count() -> None:
    drums = [on(36, 10, channel=9), off(36, 10, channel=9)] * 3
    score = read([on(60), off(60), control(7, 90), control(7, 80), mido.Message("aftertouch", value=3)], drums)
    assert score.notes == 1
    assert score.warnings == (
        "not played: 1 x aftertouch",
        "not played: 2 x controller 7",
        "not played: 3 x note on channel 10 (percussion)",
    )


def test_a_meta_event_that_nobody_knows_is_named() -> None:
    unknown = mido.UnknownMetaMessage(0x60, [1])
    assert read([on(60), unknown, off(60)]).warnings == (
        "not played: 1 x meta event of unknown type; what follows may come early",
    )


def test_the_canon_is_for_four_voices_within_its_range() -> None:
    score = from_midi(as_bytes(canon(180)), MODEL)
    pitches = [note for note, _ in ons(score)]
    assert score.voices == 4
    assert 60 <= min(pitches) <= max(pitches) <= 84
    assert 175 < score.samples / 44_100 < 182
    assert all("is no instrument of this model" in warning for warning in score.warnings)
    assert bends(score)


GOOD = written([on(60), off(60)])


@pytest.mark.parametrize(
    ("data", "param", "message"),
    [
        (b"", "midi", "not a MIDI file"),
        (b"RIFF" + bytes(100), "midi", "not a MIDI file"),
        (GOOD[:10], "midi", "truncated"),
        (GOOD[:-3], "midi", "truncated"),
        (b"MThd" + struct.pack(">LHHH", 6, 2, 1, 480) + GOOD[14:], "midi.format", "2 is not played"),
        (b"MThd" + struct.pack(">LHHH", 6, 0, 1, 0xE728) + GOOD[14:], "midi.division", "SMPTE, 25 frames"),
        (b"MThd" + struct.pack(">LHHH", 6, 0, 1, 0) + GOOD[14:], "midi.division", "0 ticks"),
        (b"MThd" + struct.pack(">LHHH", 6, 0, 0, 480), "notes", "none"),
        (written([tempo(0), on(60, 1), off(60)]), "midi.tempo", "0 microseconds"),
        (written([on(60), off(60, 0x0FFFFFFF)]), "duration_s", "more than 3600"),
        (written([on(60), off(60, 0x10000000)]), "midi", "waits more than"),
        (written([on(40, channel=9)]), "notes", "none"),
        (GOOD + bytes(1 << 20), "midi", "1048576 are the most"),
    ],
)
def test_a_bad_file_is_refused_by_field_and_value(data: bytes, param: str, message: str) -> None:
    with pytest.raises(ScoreError, match=message) as refusal:
        from_midi(data, MODEL)
    assert refusal.value.param == param


def test_limits_hold_for_notes_and_for_bends_times_notes() -> None:
    with pytest.raises(ScoreError, match="more than 20000"):
        from_midi(written([on(60, 1), off(60, 1)] * 20_001), MODEL)
    chord = [on(key, channel=channel) for key in range(128) for channel in range(9)]
    with pytest.raises(ScoreError, match="bends"):
        from_midi(written(chord, [wheel(i % 8000, 1) for i in range(5_000)]), MODEL)
    with pytest.raises(ScoreError, match="more than 2"):
        from_midi(written([on(60), on(61), on(62)]), MODEL, ScoreLimits(notes=2))


def track(body: bytes) -> bytes:
    return b"MThd" + struct.pack(">LHHH", 6, 0, 1, 480) + b"MTrk" + struct.pack(">L", len(body)) + body


@pytest.mark.parametrize(
    "data",
    [
        track(b"\xff" * 1_000_000),
        track((b"\xff" * 4096 + b"\x00") * 255),
        track(b"\x00\xe0\x00\x40" + b"\x00\x00\x40" * 300_000),
        track(b"\x00\x90" + b"".join(b"\x00" + bytes([i % 128, 64]) for i in range(19_999))),
    ],
    ids=["one endless number", "many long numbers", "bends", "a crowd"],
)
def test_hostile_files_are_answered_within_seconds(data: bytes) -> None:
    began = time.process_time()
    with pytest.raises(ScoreError):
        from_midi(data, MODEL)
    assert time.process_time() - began < 10.0


STATUS = (
    st.binary(max_size=6)
    | st.builds(
        lambda delta, status, data: bytes([delta, status]) + data,
        st.integers(0, 127),
        st.sampled_from([0x80, 0x90, 0x91, 0x99, 0xA0, 0xB0, 0xC0, 0xD0, 0xE0, 0xF0, 0xF7, 0xFF]),
        st.lists(st.integers(0, 127), min_size=1, max_size=2).map(bytes),
    )
    | st.sampled_from(
        [b"\x00\xff\x51\x03\x00\x00\x00", b"\x00\xff\x59\x02\x09\x09", b"\x8f\xff\xff\x7f", b"\x00\x90\x3c"]
    )
)
BODIES = st.lists(STATUS, max_size=40).map(b"".join)
HEADERS = st.builds(
    lambda size, kind, tracks, division: b"MThd" + struct.pack(">LHHH", size, kind, tracks, division),
    st.sampled_from([6, 6, 6, 0, 7, 0xFFFFFFFF]),
    st.integers(0, 3),
    st.sampled_from([0, 1, 1, 2, 0xFFFF]),
    st.sampled_from([1, 96, 480, 480, 0x7FFF, 0, 0xE250]),
)
FILES = st.builds(
    lambda header, bodies, lie: (
        header + b"".join(b"MTrk" + struct.pack(">L", len(body) + lie) + body for body in bodies)
    ),
    HEADERS,
    st.lists(BODIES, max_size=3),
    st.sampled_from([0, 0, 0, 0, 1, 1000]),
)


def damaged(position: int, value: int) -> bytes:
    song = bytearray(as_bytes(canon(4)))
    song[position % len(song)] = value
    return bytes(song)


@settings(max_examples=400)
@given(FILES | st.builds(damaged, st.integers(0, 10_000), st.integers(0, 255)) | st.binary(max_size=200))
def test_any_bytes_are_a_score_or_refused(data: bytes) -> None:
    try:
        score = from_midi(data, MODEL)
    except ScoreError as refusal:
        assert refusal.param  # noqa: PT017
        return
    assert score.notes > 0
    assert 0 < score.samples <= 3600 * 44_100
