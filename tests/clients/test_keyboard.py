from __future__ import annotations

from collections.abc import Mapping

import mido  # type: ignore[import-untyped]
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.clients import SessionStart, connect
from ostinato.clients.keyboard import Keyboard, KeyboardError, choose
from ostinato.server.protocol import ControlApplied, ServerMessage


class Played:
    """What an instrument was told."""

    def __init__(self) -> None:
        self.sounding: dict[str, float] = {}  # pitches by voice
        self.controls: list[Mapping[str, float | str]] = []

    def note_on(self, note: float, velocity: float = 0.8, voice_id: str | None = None) -> None:
        assert 0.0 < velocity <= 1.0
        assert voice_id is not None
        assert voice_id not in self.sounding
        self.sounding[voice_id] = note

    def note_off(self, note: float | None = None, voice_id: str | None = None) -> None:
        assert note is None
        assert voice_id is not None
        del self.sounding[voice_id]

    def control(self, params: Mapping[str, float | str], voice_id: str | None = None, ramp_ms: float = 0.0) -> None:
        assert voice_id is None
        assert 0.0 <= ramp_ms <= 10.0
        self.controls.append(params)


keys = st.builds(
    lambda kind, note, velocity, channel: mido.Message(kind, note=note, velocity=velocity, channel=channel),
    st.sampled_from(["note_on", "note_off"]),
    st.integers(58, 62),
    st.integers(0, 127),
    st.integers(0, 1),
)


@given(st.lists(keys, max_size=60))
def test_each_key_sounds_as_often_as_it_was_pressed_more_than_let_go(messages: list[mido.Message]) -> None:
    played = Played()
    keyboard, down = Keyboard(played), dict[tuple[int, int], int]()
    for message in messages:
        keyboard.take(message)
        key, presses = (message.channel, message.note), message.type == "note_on" and message.velocity > 0
        down[key] = down.get(key, 0) + 1 if presses else max(down.get(key, 0) - 1, 0)
    assert sorted(played.sounding.values()) == sorted(note for (_, note), n in down.items() for _ in range(n))
    keyboard.take(mido.Message("control_change", control=123))
    assert not played.sounding


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (mido.Message("pitchwheel", pitch=8191), {"bend": pytest.approx(200.0, abs=0.1)}),
        (mido.Message("pitchwheel", pitch=-8192), {"bend": -200.0}),
        (mido.Message("control_change", control=64, value=127), {"sustain": 1.0}),
        (mido.Message("control_change", control=64, value=63), {"sustain": 0.0}),
    ],
)
def test_wheel_and_pedal_steer(message: mido.Message, told: dict[str, float]) -> None:
    played = Played()
    Keyboard(played).take(message)
    assert played.controls == [told]


@pytest.mark.parametrize("message", [mido.Message("clock"), mido.Message("control_change", control=1, value=9)])
def test_what_a_stream_cannot_be_told_is_passed_over(message: mido.Message) -> None:
    played = Played()
    Keyboard(played).take(message)
    assert not played.controls
    assert not played.sounding


def test_a_stream_that_is_played_by_a_keyboard_sounds_and_takes_everything(server: str) -> None:
    applied: list[ServerMessage] = []
    with connect(server, SessionStart(model="tiny", voices=3, seed=1, duration_s=0.5), heard=applied.append) as stream:
        keyboard = Keyboard(stream)
        for message in (
            mido.Message("control_change", control=64, value=127),
            mido.Message("note_on", note=60, velocity=100),
            mido.Message("note_on", note=64, velocity=1),
            mido.Message("pitchwheel", pitch=1000),
            mido.Message("note_off", note=60),
            mido.Message("control_change", control=64, value=0),
        ):
            keyboard.take(message)
        sound = np.concatenate([block.samples for block in stream])
    assert sound.any()
    assert sum(isinstance(message, ControlApplied) for message in applied) == 6
    assert stream.report.errors == []


def test_a_port_is_found_by_a_part_of_its_name_and_else_those_there_are_are_told() -> None:
    there = ["Midi Through:0", "Launchkey Mini MK3:1"]
    assert choose("launch", there) == "Launchkey Mini MK3:1"
    assert choose("", there) == "Midi Through:0"
    with pytest.raises(KeyboardError, match="'grand' is no MIDI input; there are 'Midi Through:0', 'Launchkey"):
        choose("grand", there)
    with pytest.raises(KeyboardError, match="there are none"):
        choose("", [])
