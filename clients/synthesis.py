"""One request, one sound, over HTTP: `synthesize` waits for all of it, `receive` hands it on as it is drawn."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx
import numpy as np
import soundfile  # type: ignore[import-untyped]
from numpy.typing import NDArray

from ostinato.clients.address import http_address
from ostinato.clients.connection import DEFAULT_TIMEOUTS, Timeouts, unreachable
from ostinato.clients.errors import CorruptError, LostError, SilentError
from ostinato.clients.refusal import check_answer
from ostinato.server.protocol import SynthesizeNote, SynthesizeOptions, SynthesizeRequest

PATH: Final = "/v1/audio/synthesize"
DEFAULT_OPTIONS: Final = SynthesizeOptions()


@dataclass(frozen=True, slots=True)
class Sound:
    """What a server made."""

    content: bytes  # a file of the kind asked for
    media_type: str
    model: str
    seed: int
    warnings: tuple[str, ...]

    def decode(self) -> tuple[NDArray[np.float32], int]:
        """Samples, float32 in [-1, 1], and their rate, Hz. Raises CorruptError where the content has no header."""
        try:
            samples, rate = soundfile.read(io.BytesIO(self.content), dtype="float32")
        except soundfile.LibsndfileError as error:
            raise CorruptError(f"{self.media_type}: {error}") from error
        return samples, int(rate)


@dataclass(frozen=True, slots=True)
class Arriving:
    """A sound that is being drawn."""

    media_type: str
    model: str
    seed: int
    warnings: tuple[str, ...]
    length: int | None  # bytes; None where its kind does not tell


def synthesize(
    url: str,
    notes: Sequence[SynthesizeNote] | bytes,
    options: SynthesizeOptions = DEFAULT_OPTIONS,
    *,
    api_key: str | None = None,
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
) -> Sound:
    """Have a server make a sound of notes, or of a MIDI file.

    Args:
        url: where the server is.
        notes: 1 to 20,000 of them; or the bytes of a MIDI file.
        options: model, seed, format and controls.
        api_key: for a server that wants one.
        timeouts: how long to wait; `answer_s` for the next of the sound.

    Raises:
        ValueError: where the address is none, or there are no notes.
        UnreachableError: where nothing answers there.
        RefusedError: where the server refuses.
        StreamError: where the sound breaks off, or is none.
    """
    content = bytearray()
    arriving = receive(url, notes, content.extend, options, api_key=api_key, timeouts=timeouts)
    return _whole(arriving, content)


def receive(
    url: str,
    notes: Sequence[SynthesizeNote] | bytes,
    write: Callable[[bytes], object],
    options: SynthesizeOptions = DEFAULT_OPTIONS,
    *,
    begun: Callable[[Arriving], None] = lambda _: None,
    api_key: str | None = None,
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
) -> Arriving:
    """The same, handed to `write` piece by piece as it is drawn; `begun` is told what comes before it does."""
    address, request = _request(url, notes, options, api_key)
    with _faults(address), httpx.Client(timeout=_timeout(timeouts)) as client, client.stream(**request) as answer:
        if answer.is_error:
            answer.read()
        arriving = _understood(address, answer)
        begun(arriving)
        for piece in answer.iter_bytes():
            write(piece)
    return arriving


async def synthesize_async(
    url: str,
    notes: Sequence[SynthesizeNote] | bytes,
    options: SynthesizeOptions = DEFAULT_OPTIONS,
    *,
    api_key: str | None = None,
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
) -> Sound:
    """The same as `synthesize`, awaited."""
    address, request = _request(url, notes, options, api_key)
    content = bytearray()
    with _faults(address):
        async with httpx.AsyncClient(timeout=_timeout(timeouts)) as client, client.stream(**request) as answer:
            if answer.is_error:
                await answer.aread()
            arriving = _understood(address, answer)
            pieces: AsyncIterator[bytes] = answer.aiter_bytes()
            async for piece in pieces:
                content += piece
    return _whole(arriving, content)


def _request(
    url: str, notes: Sequence[SynthesizeNote] | bytes, options: SynthesizeOptions, api_key: str | None
) -> tuple[str, dict[str, Any]]:
    address = http_address(url, PATH)
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    asked = options.model_dump(exclude_none=True)
    request: dict[str, Any] = {"method": "POST", "url": address}
    if isinstance(notes, bytes):
        query = {**asked.pop("controls"), **asked}
        return address, {
            **request,
            "params": query,
            "content": notes,
            "headers": {**headers, "Content-Type": "audio/midi"},
        }
    body = SynthesizeRequest(notes=tuple(notes), **asked)
    content = body.model_dump_json(exclude_none=True)
    return address, {**request, "content": content, "headers": {**headers, "Content-Type": "application/json"}}


def _timeout(timeouts: Timeouts) -> httpx.Timeout:
    return httpx.Timeout(timeouts.open_s, read=timeouts.answer_s, write=timeouts.answer_s)


@contextmanager
def _faults(address: str) -> Iterator[None]:
    """What goes wrong on the way, as errors of this package."""
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.InvalidURL) as error:
        raise unreachable(address, error) from error
    except httpx.TimeoutException as error:
        raise SilentError(f"{address}: {type(error).__name__}: nothing came for too long") from error
    except httpx.HTTPError as error:
        raise LostError(f"{address}: {str(error) or type(error).__name__}") from error


def _understood(address: str, answer: httpx.Response) -> Arriving:
    check_answer(address, answer)
    try:
        length = answer.headers.get("content-length")
        return Arriving(
            media_type=answer.headers["content-type"],
            model=answer.headers["ostinato-model"],
            seed=int(answer.headers["ostinato-seed"]),
            warnings=tuple(json.loads(answer.headers.get("ostinato-warnings", "[]"))),
            length=None if length is None else int(length),
        )
    except (KeyError, ValueError) as error:
        raise CorruptError(f"{address}: {answer.status_code}, and no sound of an Ostinato server") from error


def _whole(arriving: Arriving, content: bytearray) -> Sound:
    return Sound(bytes(content), arriving.media_type, arriving.model, arriving.seed, arriving.warnings)
