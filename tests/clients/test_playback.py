"""What a sound card is given, without one: its callback is called by hand."""

from __future__ import annotations

import sys
import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ostinato.clients import Block, PlaybackError, SessionStart, connect, play
from ostinato.clients.playback import FADE_SAMPLES, Card
from ostinato.server.protocol import PlaybackReport, parse_client

RATE = 44_100
IN_HAND = 3528  # 80 ms


def block(samples: NDArray[np.float32], first: int = 0) -> Block:
    return Block(first, samples.astype("<f4").tobytes(), "pcm_f32le")


def filled(card: Card, samples: int) -> NDArray[np.float32]:
    out = np.full(samples, np.nan, np.float32)
    card.fill(out)
    return out


def test_it_waits_for_80_ms_and_then_plays_what_it_was_brought() -> None:
    card, sound = Card(RATE, 200.0), np.linspace(0.1, 0.9, IN_HAND, dtype=np.float32)
    card.bring(block(sound[:-1]))
    assert not filled(card, 64).any()
    card.bring(block(sound[-1:]))
    assert np.array_equal(np.concatenate([filled(card, 1000), filled(card, IN_HAND - 1000)]), sound)
    assert card.position(0.0) == IN_HAND
    assert card.underruns == 0


def test_a_short_lead_is_halved_for_what_is_in_hand() -> None:
    card = Card(RATE, 20.0)
    card.bring(block(np.ones(441, np.float32)))
    assert filled(card, 10).all()


def test_where_it_runs_dry_it_fades_counts_once_and_gathers_before_it_goes_on() -> None:
    card = Card(RATE, 200.0)
    card.bring(block(np.ones(IN_HAND, np.float32)))
    out = np.concatenate([filled(card, 1024) for _ in range(8)])
    assert card.underruns == 1
    assert (out[:IN_HAND] == 1.0).all()
    assert np.abs(np.diff(out)).max() <= 1.0 / (FADE_SAMPLES - 1) + 1e-6  # it nowhere steps
    assert not out[IN_HAND + FADE_SAMPLES :].any()
    card.bring(block(np.ones(IN_HAND - 1, np.float32)))
    assert not filled(card, 256).any()
    card.bring(block(np.ones(1, np.float32)))
    again = filled(card, 256)
    assert np.abs(np.diff(again)).max() <= 1.0 / FADE_SAMPLES + 1e-6
    assert (again[FADE_SAMPLES:] == 1.0).all()
    assert card.underruns == 1


def test_at_the_end_the_rest_is_played_however_little_and_silence_is_no_underrun() -> None:
    card = Card(RATE, 200.0)
    card.bring(block(np.full(100, 0.5, np.float32)))
    card._ended = True
    out = filled(card, 300)
    assert (out[:100] == 0.5).all()
    assert card.underruns == 0
    card.end()


@settings(max_examples=50)
@given(st.lists(st.integers(1, 3000), min_size=1, max_size=20), st.integers(16, 2048))
def test_every_sample_is_given_once_in_order_and_nothing_is_left_undefined(sizes: list[int], frames: int) -> None:
    card, sound = Card(RATE, 20.0), np.arange(1, sum(sizes) + 1, dtype=np.float32) / np.float32(2**20)
    given_, at = list[NDArray[np.float32]](), 0
    for size in sizes:
        card.bring(block(sound[at : at + size]))
        at += size
    card._ended = True
    while card.buffered_s(0.0):
        given_.append(filled(card, frames))
    out = np.concatenate(given_)
    assert not np.isnan(out).any()
    assert np.array_equal(out[: len(sound)], sound)


def test_a_card_that_takes_nothing_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ostinato.clients.playback.PATIENCE_S", 0.01)
    card = Card(RATE, 200.0)
    with pytest.raises(PlaybackError, match=r"took nothing for 0\.01 s"):
        card.bring(block(np.zeros(13 * RATE, np.float32)))
    with pytest.raises(PlaybackError, match="did not play to the end"):
        card_with_a_little().end()


def card_with_a_little() -> Card:
    card = Card(RATE, 200.0)
    card.bring(block(np.zeros(10, np.float32)))
    return card


def test_what_is_reported_is_what_the_card_has_played(server: str) -> None:
    with connect(server, SessionStart(model="tiny", lead_ms=100.0, duration_s=1.0)) as stream:
        card = Card(RATE, 100.0)
        stream.heard_through(card)
        stream.note_on(60)
        reported, played = list[PlaybackReport](), 0
        outgoing = stream._conversation.outgoing

        def watched() -> list[str]:
            frames = outgoing()
            reported.extend(m for m in map(parse_client, frames) if isinstance(m, PlaybackReport))
            return frames

        stream._conversation.outgoing = watched  # type: ignore[method-assign]
        for heard in stream:
            card.bring(heard)
            if heard.first_sample < RATE // 2:
                played += int(filled(card, len(heard.samples)).any())
    assert played
    assert reported
    assert all(report.played_sample <= RATE // 2 + 2000 for report in reported)
    assert stream.done is not None


@pytest.mark.parametrize(
    ("there", "told"),
    [
        (None, r"sounddevice is missing: pip install 'ostinato\[play\]'"),
        (
            OSError("PortAudio library not found"),
            "PortAudio library not found; on Debian: apt-get install libportaudio2",
        ),
    ],
)
def test_what_is_missing_is_named_with_what_to_install(
    there: Any,  # noqa: ANN401
    told: str,
    server: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def find(name: str) -> object:
        assert name == "sounddevice"
        raise there or ModuleNotFoundError(name=name)

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr("ostinato.clients.playback.import_module", find)
    with connect(server, SessionStart(model="tiny")) as stream, pytest.raises(PlaybackError, match=told):
        play(stream)


class Loudspeaker(threading.Thread):
    """What sounddevice has of a card, with a clock of its own: it asks for 512 samples at a time, a bit too slowly."""

    PortAudioError = OSError

    def __init__(self) -> None:
        super().__init__()
        self.played = list[NDArray[np.float32]]()
        self._stopped = threading.Event()

    def OutputStream(self, **options: Any) -> Loudspeaker:  # noqa: ANN401, N802
        if options["device"] == "none":
            raise ValueError("No output device matching 'none'")
        assert (options["samplerate"], options["channels"], options["dtype"]) == (RATE, 1, "float32")
        self._callback = options["callback"]
        return self

    def run(self) -> None:
        status = SimpleNamespace(output_underflow=False)
        while not self._stopped.wait(512 / RATE):
            out = np.full((512, 1), np.nan, np.float32)
            self._callback(out, 512, None, status)
            self.played.append(out[:, 0])

    def stop(self) -> None:
        self._stopped.set()
        self.join()

    def close(self) -> None:
        assert not self.is_alive()


def test_a_stream_is_played_to_its_end(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    speaker, heard = Loudspeaker(), list[NDArray[np.float32]]()
    monkeypatch.setattr("ostinato.clients.playback.import_module", lambda _: speaker)
    bring = Card.bring

    def keep(card: Card, came: Block) -> None:
        heard.append(came.samples)
        bring(card, came)

    monkeypatch.setattr(Card, "bring", keep)
    with connect(server, SessionStart(model="tiny", seed=1, lead_ms=400.0, duration_s=0.7)) as stream:
        stream.note_on(60)
        underruns = play(stream)
    sound, played = np.concatenate(heard), np.concatenate(speaker.played)
    assert stream.report.underruns == underruns
    assert len(sound) == round(0.7 * RATE)
    if not underruns:
        begun = int(played.nonzero()[0][0]) - int(sound.nonzero()[0][0])
        assert np.array_equal(played[begun : begun + len(sound)], sound)
    assert np.isfinite(played).all()


def test_a_device_that_is_none_is_told(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ostinato.clients.playback.import_module", lambda _: Loudspeaker())
    with (
        connect(server, SessionStart(model="tiny")) as stream,
        pytest.raises(PlaybackError, match="sound card: No output device matching 'none'"),
    ):
        play(stream, "none")
