from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from ostinato.clients import (
    CorruptError,
    LostError,
    RefusedError,
    SilentError,
    StreamError,
    SynthesizeNote,
    SynthesizeOptions,
    Timeouts,
    UnreachableError,
    synthesize,
    synthesize_async,
)
from ostinato.clients.synthesis import receive
from ostinato.server.midi import from_midi
from ostinato.server.pcm import encode
from ostinato.server.score import TimedNote, from_notes
from tests.clients.test_stream import RATE, TINY, free_port, rendered
from tests.server.serving import serving
from tests.songs import as_bytes, canon

NOTES = [SynthesizeNote(note=60, duration_s=0.2), SynthesizeNote(note=67, start_s=0.1, duration_s=0.1)]
SEVEN = SynthesizeOptions(seed=7, format="pcm")


def test_notes_become_the_rendered_sound(server: str) -> None:
    score = from_notes([TimedNote(n.note, n.duration_s, n.start_s) for n in NOTES], TINY.config)
    sound = synthesize(server, NOTES, SEVEN)
    assert (sound.content, sound.model, sound.seed) == (encode(rendered(score, 7), "pcm_s16le"), "tiny", 7)
    assert asyncio.run(synthesize_async(server, NOTES, SEVEN)).content == sound.content


def test_a_midi_file_becomes_the_rendered_sound_with_its_warnings_and_controls_in_the_query(server: str) -> None:
    song = as_bytes(canon(4))
    score = from_midi(song, TINY.config)
    sound = synthesize(server, song, SEVEN)
    assert sound.content == encode(rendered(score, 7), "pcm_s16le")
    assert sound.warnings == score.warnings
    calm = SEVEN.model_copy(update={"controls": {"temperature": 0.1}})
    assert synthesize(server, song, calm).content != sound.content


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg"])
def test_a_sound_decodes_to_samples(server: str, kind: str) -> None:
    sound = synthesize(server, NOTES, SynthesizeOptions(seed=7, format=kind))  # type: ignore[arg-type]
    samples, rate = sound.decode()
    assert rate == RATE
    assert samples.dtype == np.float32
    assert samples.any()
    if kind != "ogg":
        raw = np.frombuffer(synthesize(server, NOTES, SEVEN).content, "<i2")
        assert np.array_equal(np.round(samples * 32768.0).astype(np.int16), raw)


def test_raw_samples_have_no_header_to_decode(server: str) -> None:
    with pytest.raises(CorruptError):
        synthesize(server, NOTES, SEVEN).decode()


def test_it_is_handed_on_as_it_is_drawn(server: str) -> None:
    pieces, lengths = list[bytes](), list[int | None]()
    long = [SynthesizeNote(note=60, duration_s=3.0)]
    receive(server, long, pieces.append, SEVEN, begun=lambda arriving: lengths.append(arriving.length))
    assert len(pieces) > 1
    assert lengths == [sum(map(len, pieces))]


def test_a_refusal_names_its_field_and_when_to_try_again(server: str) -> None:
    with pytest.raises(RefusedError, match="'nobody' is not served") as refusal:
        synthesize(server, NOTES, SynthesizeOptions(model="nobody"))
    assert refusal.value.error.error.param == "model"
    with serving(slots=1, api_key="open sesame") as locked:
        with pytest.raises(RefusedError, match="Authorization"):
            synthesize(locked.url, NOTES)
        with pytest.raises(RefusedError) as refusal:
            synthesize(locked.url, NOTES, api_key="open sesame")  # two voices
        assert refusal.value.error.error.param == "voices"
        assert synthesize(locked.url, NOTES[:1], api_key="open sesame").content


def test_no_notes_are_refused_before_anything_is_sent() -> None:
    with pytest.raises(ValueError, match="notes"):
        synthesize("http://127.0.0.1:1", [])


def test_where_nobody_answers_is_told() -> None:
    with pytest.raises(UnreachableError, match="ostinato serve"):
        synthesize(f"http://127.0.0.1:{free_port()}", NOTES)


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """A server that says one thing to the first who asks, and hangs up; b"": that says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        done = threading.Event()

        def serve() -> None:
            client, _ = listener.accept()
            with client:
                client.recv(65_536)
                if not answer:
                    done.wait(10.0)
                client.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            done.set()
            thread.join()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: audio/wav\r\n"
OURS = HEAD + b"Ostinato-Model: tiny\r\nOstinato-Seed: 1\r\nContent-Length: 100\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"", SilentError),
        (b"gibberish\r\n\r\n", LostError),
        (OURS + bytes(50), LostError),
        (HEAD + b"Content-Length: 1\r\n\r\n1", CorruptError),
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 2\r\n\r\nno", CorruptError),
    ],
)
def test_what_breaks_off_or_makes_no_sense_is_told(answer: bytes, kind: type[StreamError]) -> None:
    quick = Timeouts(answer_s=0.3)
    with answering(answer) as url, pytest.raises(kind):
        synthesize(url, NOTES, timeouts=quick)
    with answering(answer) as url, pytest.raises(kind):
        asyncio.run(synthesize_async(url, NOTES, timeouts=quick))
