from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread

import numpy as np
import pytest
from numpy.typing import NDArray
from websockets.sync.server import ServerConnection, serve

from ostinato.clients import async_stream
from ostinato.clients.address import http_address, stream_address
from ostinato.clients.errors import CorruptError, LostError, RefusedError, SilentError, StreamError, UnreachableError
from ostinato.clients.stream import Timeouts, connect
from ostinato.models.registry import load
from ostinato.models.sampling.choose import open_sampler
from ostinato.server.midi import from_midi
from ostinato.server.pcm import encode
from ostinato.server.protocol import SUBPROTOCOL, AudioFormat, ControlApplied, Encoding, ServerMessage, SessionStart
from ostinato.server.render import render
from ostinato.server.score import Score, TimedNote, from_notes
from tests.server.serving import serving
from tests.songs import as_bytes, canon

TINY = load("tiny")
RATE = TINY.config.network.sample_rate
QUICK = Timeouts(open_s=2.0, silence_s=0.2, close_s=1.0)


def start_of(score: Score, seed: int, **more: object) -> SessionStart:
    return SessionStart(model="tiny", voices=score.voices, seed=seed, duration_s=score.samples / RATE, **more)  # type: ignore[arg-type]


def rendered(score: Score, seed: int) -> NDArray[np.float32]:
    sampler, _ = open_sampler(TINY, slots=score.voices)
    return np.concatenate(list(render(score, sampler, seed)))


@pytest.mark.parametrize("encoding", ["pcm_f32le", "pcm_s16le"])
def test_a_streamed_midi_file_equals_the_rendered_one_sample_for_sample(server: str, encoding: Encoding) -> None:
    score = from_midi(as_bytes(canon(12)), TINY.config)
    start = start_of(score, 11, mode="fast", format=AudioFormat(encoding=encoding))
    with connect(server, start) as stream:
        stream.perform(score.events)
        pcm = b"".join(block.pcm for block in stream)
    assert pcm == encode(rendered(score, 11), encoding)
    assert stream.report.warnings == stream.report.errors == []


def test_a_live_stream_is_paced_measured_and_equal_too(server: str) -> None:
    score = from_notes([TimedNote(60, 1.3), TimedNote(64, 0.4, 0.3), TimedNote(67.5, 0.3, 0.5)], TINY.config)
    applied: dict[str, int] = {}

    def hear(message: ServerMessage) -> None:
        if isinstance(message, ControlApplied):
            applied[message.event_id] = message.sample

    with connect(server, start_of(score, 5, format=AudioFormat(encoding="pcm_f32le")), heard=hear) as stream:
        stream.perform(score.events)
        audio = np.concatenate([block.samples for block in stream])
    assert np.array_equal(audio, rendered(score, 5))
    assert applied == {event.event_id: event.at_sample for event in score.events}
    assert stream.report.samples == score.samples
    assert stream.report.ttfa_ms is not None  # told once a second, and this takes longer
    assert stream.report.first_audio_ms is not None
    assert stream.report.least_buffered_ms is not None


def test_notes_played_by_hand_are_heard_until_the_end(server: str) -> None:
    with connect(server, SessionStart(model="tiny", seed=1)) as stream:
        stream.control({"temperature": 0.5})
        stream.note_on(60, 0.9, voice_id="a")
        blocks = iter(stream)
        heard = [next(blocks) for _ in range(5)]
        stream.note_off(voice_id="a")
        stream.end()
        heard += list(blocks)
    assert stream.done is not None
    assert stream.done.reason == "ended"
    assert sum(len(block.samples) for block in heard) == stream.done.samples
    assert any(block.samples.any() for block in heard)
    assert stream.report.errors == []


def test_the_async_client_hears_the_same(server: str) -> None:
    score = from_notes([TimedNote(60, 0.3), TimedNote(64, 0.2, 0.1)], TINY.config)

    async def play() -> bytes:
        start = start_of(score, 5, mode="fast", format=AudioFormat(encoding="pcm_f32le"))
        async with await async_stream.connect(server, start) as stream:
            await stream.perform(score.events)
            return b"".join([block.pcm async for block in stream])

    assert asyncio.run(play()) == encode(rendered(score, 5), "pcm_f32le")


def test_a_refusal_names_its_reason(server: str) -> None:
    with pytest.raises(RefusedError, match="nobody") as refusal:
        connect(server, SessionStart(model="nobody"))
    assert refusal.value.error.error.param == "model"
    with pytest.raises(RefusedError, match="voices: 64"):
        connect(server, SessionStart(model="tiny", voices=64))
    with pytest.raises(RefusedError, match="reverb"):
        connect(server, SessionStart(model="tiny", controls={"reverb": 1.0}))


def test_a_bad_event_is_kept_and_the_stream_goes_on(server: str) -> None:
    with connect(server, SessionStart(model="tiny", duration_s=0.2)) as stream:
        stream.control({"reverb": 1.0})
        stream.note_on(60)
        assert sum(len(block.samples) for block in stream) == round(0.2 * RATE)
    assert "reverb" in stream.report.errors[0]


def test_a_key_opens_a_server_that_wants_one() -> None:
    with serving(api_key="open sesame", slots=2) as running:
        with pytest.raises(RefusedError, match="Authorization"):
            connect(running.url, SessionStart(model="tiny"))
        with connect(running.url, SessionStart(model="tiny"), api_key="open sesame") as stream:
            assert stream.created.model == "tiny"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def stub(handle: Callable[[ServerConnection], None]) -> Iterator[str]:
    """A server that does as it likes."""
    with serve(handle, "127.0.0.1", 0, subprotocols=[SUBPROTOCOL]) as server:  # type: ignore[list-item]
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            server.shutdown()
            thread.join()


CREATED = (
    '{"type":"session.created","session_id":"s","model":"tiny","seed":1,"lead_ms":200.0,'
    '"format":{"encoding":"pcm_s16le","sample_rate":44100,"hop":64},"limits":{"voices":1,"duration_s":9.0}}'
)


@pytest.mark.parametrize(
    ("frames", "kind"),
    [
        ([], LostError),
        ([CREATED], LostError),
        ([CREATED, b"short"], CorruptError),
        (["[]"], CorruptError),
    ],
)
def test_what_breaks_off_or_makes_no_sense_is_told(frames: list[str | bytes], kind: type[StreamError]) -> None:
    def handle(connection: ServerConnection) -> None:
        connection.recv()
        for frame in frames:
            connection.send(frame)
        connection.close(1011, "no more")

    with stub(handle) as url, pytest.raises(kind), connect(url) as stream:
        list(stream)


def test_silence_is_not_waited_for_without_end() -> None:
    def handle(connection: ServerConnection) -> None:
        connection.recv()
        connection.recv()

    with stub(handle) as url:
        with pytest.raises(SilentError, match=r"0\.2 s"):
            connect(url, timeouts=QUICK)
        with pytest.raises(SilentError, match=r"0\.2 s"):
            asyncio.run(async_stream.connect(url, timeouts=QUICK))


def test_where_nobody_answers_is_told() -> None:
    url = f"ws://127.0.0.1:{free_port()}"
    with pytest.raises(UnreachableError, match=url):
        connect(url)
    with pytest.raises(UnreachableError, match=url):
        asyncio.run(async_stream.connect(url))


def test_a_server_of_something_else_is_told(server: str) -> None:
    with pytest.raises(UnreachableError, match="403"):
        connect(f"{server}/elsewhere")


def test_addresses_of_one_server() -> None:
    assert stream_address("http://a:1") == stream_address("ws://a:1/v1/audio/stream") == "ws://a:1/v1/audio/stream"
    assert stream_address("https://a/proxy/") == "wss://a/proxy/v1/audio/stream"
    assert http_address("wss://a/proxy", "/v1/models") == "https://a/proxy/v1/models"
    for bad in ("127.0.0.1:8000", "ftp://a", "ws://"):
        with pytest.raises(ValueError, match=r"ws|host"):
            stream_address(bad)
