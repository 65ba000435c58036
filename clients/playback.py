"""A stream to the sound card, through sounddevice (the extra `play`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ostinato.clients.conversation import in_hand_s
from ostinato.clients.errors import PlaybackError
from ostinato.clients.incoming import Block
from ostinato.clients.ring import SampleRing
from ostinato.clients.stream import Stream

RING_S: Final = 12.0  # more than the longest lead
FADE_SAMPLES: Final = 128  # from the last sample to silence where a card runs dry, and back: a step would click
PATIENCE_S: Final = 5.0  # for a card that takes nothing


class Card:
    """What stands between a stream and a sound card, whose thread calls `fill`.

    It plays once there is a little in hand. Where it runs dry it fades out, counts that as an underrun, and gathers
    as much again before it goes on.

    Args:
        sample_rate: Hz.
        lead_ms: how far ahead of its listener the server runs.
    """

    def __init__(self, sample_rate: int, lead_ms: float) -> None:
        self.underruns = 0
        self._rate = sample_rate
        self._in_hand = round(in_hand_s(lead_ms) * sample_rate)
        self._ring = SampleRing(round(RING_S * sample_rate))
        self._plays = self._ended = False
        self._last = np.float32(0.0)  # that was played
        self._rises = 0  # samples that are still to be faded in

    def position(self, now: float) -> int:  # noqa: ARG002 (a card's clock is its own)
        """The next sample to be played."""
        return self._ring.read

    def buffered_s(self, now: float) -> float:  # noqa: ARG002
        """Audio that is there and was not played yet, seconds."""
        return len(self._ring) / self._rate

    def bring(self, block: Block) -> None:
        """Take the next audio, waiting for room. Raises PlaybackError where the card takes nothing any more."""
        samples = block.samples
        if self._ring.write(samples, PATIENCE_S) < len(samples):
            raise PlaybackError(f"the sound card took nothing for {PATIENCE_S:g} s")

    def end(self) -> None:
        """No more comes: play what there is, however little. Raises PlaybackError where that takes too long."""
        self._ended = True
        if not self._ring.wait_until_empty(len(self._ring) / self._rate + PATIENCE_S):
            raise PlaybackError("the sound card did not play to the end")

    def fill(self, out: NDArray[np.float32]) -> None:
        """Give the card its next samples; what is not there is silence."""
        if not self._plays and (self._ended or len(self._ring) >= self._in_hand):
            self._plays, self._rises = True, FADE_SAMPLES if self._ring.read else 0
        count = self._ring.take_into(out) if self._plays else 0
        self._fade_in(out[:count])
        if count:
            self._last = out[count - 1]
        if count < len(out):
            self._fall_silent(out[count:])

    def _fade_in(self, out: NDArray[np.float32]) -> None:
        rising = min(self._rises, len(out))
        if rising:
            begun = FADE_SAMPLES - self._rises
            out[:rising] *= np.arange(begun, begun + rising, dtype=np.float32) / np.float32(FADE_SAMPLES)
            self._rises -= rising

    def _fall_silent(self, out: NDArray[np.float32]) -> None:
        if self._plays and not self._ended:
            self.underruns += 1
            self._plays = False
        out[:] = 0.0
        falling = min(FADE_SAMPLES, len(out))
        out[:falling] = self._last * np.linspace(1.0, 0.0, falling, dtype=np.float32)
        self._last = np.float32(0.0)


def play(stream: Stream, device: int | str | None = None) -> int:
    """Play a stream on the sound card until it is whole: how often the card ran dry.

    Args:
        stream: that nobody else iterates.
        device: a number or a part of a name, as sounddevice takes them; None: the system's choice.

    Raises:
        PlaybackError: where sounddevice or a card is missing, or fails.
        StreamError: where the stream does not become whole.
    """
    with open_card(stream, device) as card:
        for block in stream:
            card.bring(block)
        card.end()
    return card.underruns


@contextmanager
def open_card(stream: Stream, device: int | str | None = None) -> Iterator[Card]:
    """A sound card that plays what it is brought of a stream, and by which its playback is reported."""
    sound, rate = sounddevice(), stream.created.format.sample_rate
    card = Card(rate, stream.created.lead_ms)

    def fill(out: NDArray[np.float32], frames: int, time: object, status: Any) -> None:  # noqa: ANN401, ARG001
        card.underruns += bool(status.output_underflow)  # the system's own
        card.fill(out[:, 0])

    try:
        output = sound.OutputStream(samplerate=rate, channels=1, dtype="float32", device=device, callback=fill)
        output.start()
    except (sound.PortAudioError, ValueError) as error:  # ValueError: no such device
        raise PlaybackError(f"sound card: {error}") from error
    stream.heard_through(card)
    try:
        yield card
    finally:
        output.stop()  # once it has played what it took
        output.close()
        stream.report.underruns = card.underruns


def sounddevice() -> Any:  # noqa: ANN401 (it has no types)
    """The package, where it and PortAudio are there. Raises PlaybackError that says what to install."""
    try:
        return import_module("sounddevice")
    except ModuleNotFoundError as error:
        raise PlaybackError("sounddevice is missing: pip install 'ostinato[play]'") from error
    except OSError as error:
        raise PlaybackError(f"{error}; on Debian: apt-get install libportaudio2") from error
