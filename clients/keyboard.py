"""A live MIDI keyboard that plays a stream: keys, pedal and pitch wheel (mido; ports by the extra `midi`)."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import Final, Protocol

import mido  # type: ignore[import-untyped]

BEND_RANGE: Final = 200.0  # cents, of a wheel at its end
BEND_RAMP_MS: Final = 5.0  # a wheel moves in steps that would be heard
PEDAL, ALL_SOUND_OFF, ALL_NOTES_OFF = 64, 120, 123


class KeyboardError(Exception):
    """There is no such MIDI port, or no way to it."""


class Plays(Protocol):
    """What a keyboard plays; a Stream does."""

    def note_on(self, note: float, velocity: float = ..., voice_id: str | None = ...) -> object:
        """Play a note."""
        ...

    def note_off(self, note: float | None = ..., voice_id: str | None = ...) -> object:
        """Let it go."""
        ...

    def control(self, params: Mapping[str, float | str], voice_id: str | None = ..., ramp_ms: float = ...) -> object:
        """Steer."""
        ...


class Keyboard:
    """What is pressed, on all channels."""

    def __init__(self, instrument: Plays) -> None:
        self._instrument = instrument
        self._voices = (f"k{number}" for number in count())
        self._pressed: dict[tuple[int, int], deque[str]] = defaultdict(deque)  # voices by channel and key

    def take(self, message: mido.Message) -> None:
        """Play a MIDI message; what a stream can't be told of is passed over."""
        match message.type:
            case "note_on" if message.velocity > 0:
                self._press(message.channel, message.note, message.velocity)
            case "note_on" | "note_off":
                self._let_go(message.channel, message.note)
            case "pitchwheel":
                cents = BEND_RANGE * message.pitch / 8192.0
                self._instrument.control({"bend": cents}, ramp_ms=BEND_RAMP_MS)
            case "control_change" if message.control == PEDAL:
                self._instrument.control({"sustain": 1.0 if message.value >= 64 else 0.0})
            case "control_change" if message.control in (ALL_SOUND_OFF, ALL_NOTES_OFF):
                self._let_all_go()

    def _press(self, channel: int, key: int, velocity: int) -> None:
        voice = next(self._voices)
        self._pressed[channel, key].append(voice)
        self._instrument.note_on(key, velocity / 127.0, voice)

    def _let_go(self, channel: int, key: int) -> None:
        if self._pressed[channel, key]:
            self._instrument.note_off(voice_id=self._pressed[channel, key].popleft())

    def _let_all_go(self) -> None:
        for channel, key in list(self._pressed):
            while self._pressed[channel, key]:
                self._let_go(channel, key)


@contextmanager
def open_keyboard(name: str, take: Callable[[mido.Message], None]) -> Iterator[str]:
    """Have the messages of a MIDI port taken, on a thread of their own, as they come: the port's whole name.

    Args:
        name: of the port, or a part of it, upper or lower case; "": the first there is.
        take: called with each message.

    Raises:
        KeyboardError: naming the ports there are, or what is missing.
    """
    found = choose(name, ports())
    with mido.open_input(found, callback=take):
        yield found


def ports() -> list[str]:
    """The MIDI inputs of this machine. Raises KeyboardError where they can't be asked for."""
    try:
        return list(mido.get_input_names())
    except ModuleNotFoundError as error:
        raise KeyboardError("python-rtmidi is missing: pip install 'ostinato[midi]'") from error
    except Exception as error:  # of rtmidi's own kinds, where the system has no MIDI
        raise KeyboardError(f"MIDI: {error}") from error


def choose(name: str, there: list[str]) -> str:
    """The first port whose name holds this. Raises KeyboardError that tells which there are."""
    for port in there:
        if name.lower() in port.lower():
            return port
    raise KeyboardError(f"{name!r} is no MIDI input; there are {', '.join(map(repr, there)) or 'none'}")
