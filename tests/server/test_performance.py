from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, repeat

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ostinato.models import registry
from ostinato.models.config import Instrument, ModelConfig
from ostinato.models.controls import control_specs
from ostinato.models.noise import voice_key
from ostinato.models.sampling.native import NativeSampler
from ostinato.server.performance import PENDING, Performance
from ostinato.server.protocol import AHEAD_S, ControlUpdate, Event, NoteOff, NoteOn, ProtocolError

TINY = registry.load("tiny")
HOP = TINY.config.network.hop
RATE = TINY.config.network.sample_rate
LIFE = -(-int(np.ceil(TINY.config.release_s * RATE)) // HOP)  # hops
SLOTS = 8
SAMPLER = NativeSampler(TINY, SLOTS)


def performance(slots: Sequence[int] = (0, 1), seed: int = 7, config: ModelConfig = TINY.config) -> Performance:
    specs = control_specs(temperature=config.temperature, instruments=len(config.instruments))
    return Performance(config, specs, slots, seed, {})


@dataclass
class Played:
    audio: NDArray[np.float32]
    applied: dict[str, int]
    resets: list[tuple[int, int, int]]  # (sample, slot, key)
    warnings: list[str]


def play(music: Performance, hops: int, cuts: Iterable[int] = ()) -> Played:
    played = Played(np.zeros(0, dtype=np.float32), {}, [], [])
    blocks = []
    lengths = chain(cuts, repeat(5))
    end = music.clock + hops * HOP
    while music.clock < end:
        block = music.begin_block()
        played.applied.update({a.event_id: a.sample for a in block.applied})
        played.warnings += [w.code for w in block.warnings]
        for slot, key in block.resets:
            played.resets.append((music.clock, slot, key))
            SAMPLER.reset(slot, key)
        frames = music.frames_until_change(min(next(lengths), (end - music.clock) // HOP))
        sounding = music.controls(frames)
        drawn = np.zeros((0, frames * HOP), dtype=np.float32)
        if sounding:
            drawn = SAMPLER.advance([slot for slot, _ in sounding], np.stack([frame for _, frame in sounding]))
        blocks.append(music.mix(drawn, frames))
    played.audio = np.concatenate(blocks)
    return played


def on(name: str, note: float = 60, at: int | None = None, voice_id: str | None = None) -> NoteOn:
    return NoteOn(event_id=name, note=note, at_sample=at, voice_id=voice_id)


def off(name: str, note: float | None = 60, at: int | None = None, voice_id: str | None = None) -> NoteOff:
    return NoteOff(event_id=name, note=note, at_sample=at, voice_id=voice_id)


def update(name: str, at: int | None = None, voice_id: str | None = None, ramp: float = 0.0, **params: float) -> Event:
    return ControlUpdate(event_id=name, params=params, at_sample=at, voice_id=voice_id, ramp_ms=ramp)


HOPS = 40
times = st.integers(0, (HOPS - 1) * HOP)
pitches = st.sampled_from([48.0, 60.0, 60.5, 72.0])
ids = st.sampled_from([None, "a", "b"])
values = st.one_of(
    st.fixed_dictionaries({"gain": st.floats(-60, 12)}),
    st.fixed_dictionaries({"bend": st.floats(-2400, 2400), "temperature": st.floats(0, 2)}),
)
music_events = st.lists(
    st.one_of(
        st.builds(NoteOn, event_id=st.just("-"), note=pitches, voice_id=ids, at_sample=times),
        st.builds(NoteOff, event_id=st.just("-"), note=pitches, voice_id=ids, at_sample=times),
        st.builds(
            ControlUpdate,
            event_id=st.just("-"),
            params=values,
            voice_id=ids,
            ramp_ms=st.sampled_from([0.0, 3.0, 20.0]),
            at_sample=times,
        ),
        st.builds(
            ControlUpdate,
            event_id=st.just("-"),
            params=st.fixed_dictionaries({"sustain": st.sampled_from([0.0, 1.0])}),
            at_sample=times,
        ),
    ),
    max_size=14,
).map(lambda events: [event.model_copy(update={"event_id": str(i)}) for i, event in enumerate(events)])


@given(music_events, st.lists(st.integers(1, 9), max_size=40), st.permutations(range(SLOTS)))
def test_the_samples_do_not_depend_on_blocks_or_slots(events: list[Event], cuts: list[int], slots: list[int]) -> None:
    one, other = performance((0, 1, 2)), performance(slots[:3])
    for event in events:
        one.submit(event)
        other.submit(event)
    a, b = play(one, HOPS, repeat(1)), play(other, HOPS, cuts)
    np.testing.assert_array_equal(a.audio, b.audio)
    assert (a.applied, a.warnings) == (b.applied, b.warnings)
    assert [key for _, _, key in a.resets] == [key for _, _, key in b.resets]


@given(music_events)
def test_the_samples_do_not_depend_on_how_early_an_event_comes(events: list[Event]) -> None:
    events.sort(key=lambda event: event.at_sample or 0)
    early, just_in_time = performance(), performance()
    for event in events:
        early.submit(event)
    at_once = play(early, HOPS)
    blocks, waiting = [], list(events)
    while just_in_time.clock < HOPS * HOP:
        while waiting and (waiting[0].at_sample or 0) <= just_in_time.clock:
            assert just_in_time.submit(waiting.pop(0)) is None
        blocks.append(play(just_in_time, 1).audio)
    np.testing.assert_array_equal(at_once.audio, np.concatenate(blocks))


@given(music_events)
def test_no_more_voices_sound_than_there_are_slots_and_all_of_them_end(events: list[Event]) -> None:
    music = performance((3, 5))
    for event in events:
        music.submit(event)
    for _ in range(HOPS):
        music.begin_block()
        slots = [slot for slot, _ in music.controls(1)]
        assert len(slots) == len(set(slots))
        assert set(slots) <= {3, 5}
        music.mix(np.zeros((len(slots), HOP), dtype=np.float32), 1)
    music.finish()
    play(music, LIFE + 2)
    assert music.idle


def test_an_event_lands_on_the_next_hop_boundary() -> None:
    music = performance()
    for name, at in (("a", 0), ("b", 1), ("c", HOP), ("d", HOP + 1)):
        music.submit(on(name, at=at))
    assert play(music, 4).applied == {"a": 0, "b": HOP, "c": 2 * HOP, "d": 3 * HOP}  # c and d each steal


def test_a_late_event_is_applied_at_once_and_warned_of() -> None:
    music = performance()
    play(music, 3)
    assert music.submit(on("in time", at=2 * HOP + 1)) is None
    late = music.submit(on("late", at=2 * HOP))
    assert late is not None
    assert (late.code, late.event_id) == ("late_event", "late")
    assert play(music, 1).applied == {"in time": 3 * HOP, "late": 3 * HOP}


def test_an_event_too_far_ahead_is_refused() -> None:
    music = performance()
    music.submit(on("near", at=int(AHEAD_S * RATE)))
    with pytest.raises(ProtocolError, match="at_sample"):
        music.submit(on("far", at=int(AHEAD_S * RATE) + 1))


def test_waiting_events_are_bounded() -> None:
    music = performance()
    for i in range(PENDING):
        music.submit(on(str(i), at=RATE))
    with pytest.raises(ProtocolError) as refusal:
        music.submit(on("one more"))
    assert refusal.value.detail.code == "too_many_events"


def test_voices_are_keyed_by_their_ordinal() -> None:
    music = performance((4, 6), seed=99)
    music.submit(on("second", at=HOP))
    music.submit(on("first", at=0))
    assert play(music, 2).resets == [(0, 4, voice_key(99, 0)), (HOP, 6, voice_key(99, 1))]


def test_a_note_lives_for_its_release_and_fades_to_nothing() -> None:
    music = performance()
    music.submit(on("on"))
    music.submit(off("off", at=5 * HOP))
    heard = play(music, 5 + LIFE + 4)
    assert heard.applied["off"] == 5 * HOP
    end = (5 + LIFE) * HOP
    assert heard.audio[: end - HOP].any()
    assert heard.audio[end - 1 :].max() == 0.0
    assert music.idle


def test_a_stolen_voice_fades_over_a_hop_and_the_new_one_begins_after_it() -> None:
    music = performance((0,))
    music.submit(on("old"))
    music.submit(on("new", 72, at=10 * HOP))
    heard = play(music, 12)
    alone = performance((0,))
    alone.submit(on("old"))
    unstolen = play(alone, 12).audio
    assert heard.applied["new"] == 11 * HOP
    assert heard.resets[-1][0] == 11 * HOP
    np.testing.assert_array_equal(heard.audio[: 10 * HOP], unstolen[: 10 * HOP])
    fade = np.arange(HOP - 1, -1, -1, dtype=np.float32) / HOP
    np.testing.assert_allclose(heard.audio[10 * HOP : 11 * HOP], unstolen[10 * HOP : 11 * HOP] * fade, atol=1e-7)


def test_the_earliest_released_is_stolen_first_else_the_oldest() -> None:
    music = performance((0, 1, 2))
    for name, note in (("a", 60), ("b", 62), ("c", 64)):
        music.submit(on(name, note))
    music.submit(off("c off", 64, at=HOP))
    music.submit(off("b off", 62, at=2 * HOP))
    for i, note in enumerate((70, 71, 72)):
        music.submit(on(f"n{i}", note, at=(4 + 2 * i) * HOP))
    assert [slot for _, slot, _ in play(music, 10).resets] == [0, 1, 2, 2, 1, 0]


def test_a_chord_of_more_notes_than_slots_keeps_the_last_ones() -> None:
    music = performance((0,))
    for i in range(1000):
        music.submit(on(str(i), 40 + i % 40))
    heard = play(music, 2)
    assert set(heard.applied.values()) == {0, HOP}
    assert [(at, key) for at, _, key in heard.resets] == [(0, voice_key(7, 0)), (HOP, voice_key(7, 999))]
    assert music.sounding == 1


def test_note_off_takes_the_voice_of_its_id_else_the_oldest_of_its_note() -> None:
    music = performance((0, 1, 2))
    for name in "abc":
        music.submit(on(name, 60, voice_id=name))
    music.submit(off("by id", None, at=HOP, voice_id="b"))
    music.submit(off("by note", 60, at=2 * HOP))
    play(music, 1 + LIFE)
    assert [slot for slot, _ in music.controls(1)] == [0, 2]
    play(music, 1)
    assert [slot for slot, _ in music.controls(1)] == [2]


def test_an_event_for_a_voice_that_is_not_there_is_warned_of() -> None:
    music = performance()
    music.submit(off("off"))
    music.submit(update("bend", voice_id="nobody", bend=100.0))
    heard = play(music, 1)
    assert heard.warnings == ["no_such_voice"] * 2
    assert heard.applied == {"off": 0, "bend": 0}


def test_the_pedal_holds_what_is_let_go() -> None:
    music = performance()
    music.submit(update("down", sustain=1.0))
    music.submit(on("on"))
    music.submit(off("off", at=HOP))
    music.submit(update("up", at=20 * HOP, sustain=0.0))
    play(music, 20 + LIFE - 1)
    assert music.sounding == 1
    play(music, 2)
    assert music.idle


def frames_of(music: Performance, hops: int) -> NDArray[np.float32]:
    """The control frames of the one voice that sounds: [hops, channels]."""
    frames = []
    for _ in range(hops):
        music.begin_block()
        ((_, frame),) = music.controls(1)
        frames.append(frame)
        music.mix(np.zeros((1, HOP), dtype=np.float32), 1)
    return np.concatenate(frames)


def test_a_bend_follows_its_ramp() -> None:
    music = performance()
    music.submit(on("on"))
    music.submit(update("bend", at=2 * HOP, ramp=4 * HOP / RATE * 1000, bend=200.0))
    note = frames_of(music, 8)[:, 0]
    np.testing.assert_allclose(note, [60, 60, 60, 60.5, 61, 61.5, 62, 62], atol=1e-3)


def test_a_steered_voice_follows_the_session_no_longer_in_that_control() -> None:
    music = performance((0, 1))
    music.submit(on("a", voice_id="a"))
    music.submit(on("b", voice_id="b"))
    music.submit(update("own", at=HOP, voice_id="a", bend=100.0))
    music.submit(update("all", at=2 * HOP, bend=-100.0, temperature=0.25))
    play(music, 2)
    music.begin_block()
    (_, a), (_, b) = music.controls(1)
    assert (a[0, 0], b[0, 0]) == (61.0, 59.0)
    assert (a[0, 6], b[0, 6]) == (0.25, 0.25)


def test_gain_is_in_decibels_and_never_jumps() -> None:
    loud, quiet = performance(), performance()
    quiet.submit(update("gain", at=4 * HOP, gain=-20.0))
    for music in (loud, quiet):
        music.submit(on("on"))
    full, turned_down = play(loud, 8).audio, play(quiet, 8).audio
    np.testing.assert_allclose(turned_down[5 * HOP :], full[5 * HOP :] * 0.1, atol=1e-6)
    ramp = 1.0 - 0.9 * np.arange(HOP) / HOP
    np.testing.assert_allclose(turned_down[4 * HOP : 5 * HOP], full[4 * HOP : 5 * HOP] * ramp, atol=1e-6)


def test_an_instrument_is_chosen_by_name_or_index_for_the_next_note() -> None:
    flute, viola = Instrument(name="flute"), Instrument(name="viola")
    config = TINY.config.model_copy(update={"instruments": (flute, viola)})
    music = performance(config=config)
    music.submit(ControlUpdate(event_id="name", params={"instrument": "viola"}))
    music.submit(on("a"))
    music.submit(ControlUpdate(event_id="index", params={"instrument": 0}))
    music.submit(on("b"))
    music.begin_block()
    assert [frame[0, 5] for _, frame in music.controls(1)] == [1.0, 0.0]


@pytest.mark.parametrize(
    ("params", "voice_id", "fault"),
    [
        ({"loudness": 1.0}, None, "no such control; there are temperature, gain"),
        ({"gain": 12.5}, None, r"params.gain: 12.5 is outside -60..12 dB"),
        ({"gain": "loud"}, None, "'loud' is not a number"),
        ({"instrument": "drum"}, None, "'drum' is not known; there are default"),
        ({"instrument": 0.5}, None, "not a whole number"),
        ({"sustain": 1.0}, "a", "of the whole session"),
    ],
)
def test_a_wrong_control_is_refused_by_name_and_value(
    params: dict[str, float | str], voice_id: str | None, fault: str
) -> None:
    with pytest.raises(ProtocolError, match=fault) as refusal:
        performance().submit(ControlUpdate(event_id="e", params=params, voice_id=voice_id))
    assert refusal.value.detail.event_id == "e"
    assert refusal.value.detail.param == f"params.{next(iter(params))}"
    with pytest.raises(ProtocolError, match="controls"):
        Performance(TINY.config, control_specs(temperature=0.7, instruments=1), [0], 0, {"loudness": 1.0})


def test_the_end_gives_up_what_is_to_come_and_lets_go_what_sounds() -> None:
    music = performance()
    music.submit(update("down", sustain=1.0))
    music.submit(on("on"))
    play(music, 1)
    music.submit(on("to come", at=RATE))
    assert music.finish() == 1
    play(music, LIFE)
    assert music.idle
