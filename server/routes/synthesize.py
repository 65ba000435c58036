"""`POST /v1/audio/synthesize`: a list of notes or a MIDI file in, a sound file out, sent as it is drawn."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from ostinato.models.config import ModelConfig
from ostinato.server.mailbox import Audio, Close, Delivered, Mailbox, Opening, Outgoing, carry
from ostinato.server.midi import from_midi
from ostinato.server.protocol import (
    AudioDone,
    AudioFormat,
    Error,
    ProtocolError,
    QueueUpdate,
    SessionCreated,
    SessionStart,
    SynthesizeOptions,
    SynthesizeRequest,
    parse_body,
    parse_query,
)
from ostinato.server.score import DEFAULT_LIMITS, Score, ScoreError, TimedNote, from_notes
from ostinato.server.service import Service, caller, service_of
from ostinato.server.sound import MEDIA_TYPES, contain, content_length

BODY_BYTES: Final = 2 * 1024 * 1024  # a list of 20,000 notes
JSON_TYPE: Final = "application/json"
MIDI_TYPES: Final = ("audio/midi", "audio/x-midi", "audio/mid")
WARNINGS_SHOWN: Final = 20
GONE_S: Final = 0.25  # between two looks for a client that waits for room

router = APIRouter()

REQUEST_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": SynthesizeRequest.model_json_schema()},
            "audio/midi": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


@router.post("/v1/audio/synthesize", response_class=Response, openapi_extra=REQUEST_BODY)
async def synthesize(
    request: Request, owner: Annotated[str, Depends(caller)], service: Annotated[Service, Depends(service_of)]
) -> Response:
    """One request, one sound. A MIDI body takes model, seed, format and controls from the query."""
    kind = _content_type(request)
    body = await _read_body(request)
    options: SynthesizeOptions
    if kind in MIDI_TYPES:
        options = parse_query(request.query_params)
        model, config = _model(service, options.model)
        score = await _compose(from_midi, body, config)
    else:
        options = parsed = parse_body(body)
        model, config = _model(service, options.model)
        notes = [TimedNote(n.note, n.duration_s, n.start_s, n.velocity, n.instrument) for n in parsed.notes]
        score = await _compose(from_notes, notes, config)
    return await _begin(request, service, owner, model, config, options, score)


def _content_type(request: Request) -> str:
    """What the body is said to be.

    Nothing is guessed: the types that a web page may post anywhere without asking first are none of these, so a
    page can't put a server on its reader's machine to work.
    """
    given = request.headers.get("content-type", "")
    kind = given.partition(";")[0].strip().lower()
    if kind != JSON_TYPE and kind not in MIDI_TYPES:
        said = f"{given!r} is not taken" if given else "is missing"
        message = f"content-type: {said}; there are {', '.join((JSON_TYPE, *MIDI_TYPES))}"
        raise ProtocolError("unsupported_type", message, param="content-type")
    return kind


async def _read_body(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > BODY_BYTES:
            raise ProtocolError("body_too_big", f"a body has at most {BODY_BYTES} bytes")
    return bytes(body)


def _model(service: Service, name: str | None) -> tuple[str, ModelConfig]:
    cards = service.engine.cards
    name = next(iter(cards)) if name is None else name
    if name not in cards:
        message = f"model: {name!r} is not served; there are {', '.join(cards)}"
        raise ProtocolError("unknown_model", message, param="model")
    return name, cards[name].config


async def _compose(read: Any, source: bytes | Sequence[TimedNote], config: ModelConfig) -> Score:  # noqa: ANN401
    """A score, made off the event loop."""
    try:
        score = await asyncio.to_thread(read, source, config, DEFAULT_LIMITS)
    except ScoreError as error:
        raise ProtocolError("invalid_value", str(error), param=error.param) from None
    assert isinstance(score, Score)
    return score


async def _begin(
    request: Request,
    service: Service,
    owner: str,
    model: str,
    config: ModelConfig,
    options: SynthesizeOptions,
    score: Score,
) -> Response:
    """Open a session for the score, and answer once it is admitted."""
    seed = secrets.randbits(53) if options.seed is None else options.seed
    start = SessionStart(
        model=model,
        voices=score.voices,
        format=AudioFormat(encoding="pcm_s16le", frame_ms=100.0),
        seed=seed,
        mode="fast",
        controls=options.controls,
        framing="raw",
    )
    mailbox = Mailbox(service.engine.wake)
    now = time.monotonic()
    opening = Opening(uuid.uuid4().hex, start, mailbox, now, owner, score=score.events, samples=score.samples)
    service.engine.open(opening)
    await _admitted(mailbox, request)
    rate = config.network.sample_rate
    headers = {"Content-Type": MEDIA_TYPES[options.format], "Ostinato-Seed": str(seed), "Ostinato-Model": model}
    length = content_length(options.format, score.samples)
    if length is not None:
        headers["Content-Length"] = str(length)
    if score.warnings:
        headers["Ostinato-Warnings"] = json.dumps(score.warnings[:WARNINGS_SHOWN])
    pieces = contain(_blocks(mailbox), options.format, score.samples, rate)
    return SoundResponse(mailbox, pieces, headers, service.settings.stall_s)


async def _admitted(mailbox: Mailbox, request: Request) -> None:
    """Wait for the session, in the line too, as long as the client does. Raises ProtocolError where it is refused."""
    answer = asyncio.create_task(_first_answer(mailbox))
    try:
        while not answer.done():
            await asyncio.wait([answer], timeout=GONE_S)
            if not answer.done() and await request.is_disconnected():
                raise ProtocolError("gone", "the client went away before there was room")
        match answer.result():
            case SessionCreated():
                return
            case Error() as error:
                raise ProtocolError.of(error)
    except BaseException:
        answer.cancel()
        mailbox.hang_up()
        raise


async def _first_answer(mailbox: Mailbox) -> Outgoing:
    while True:
        answer = await mailbox.receive()
        if not isinstance(answer, QueueUpdate):
            return answer


class SessionLostError(Exception):
    """The session ended before its sound did."""


async def _blocks(mailbox: Mailbox) -> AsyncIterator[bytes]:
    """The PCM of a session. Raises SessionLostError where it ends before it is whole."""
    while True:
        match await mailbox.receive():
            case Audio() as block:
                taken_at = time.monotonic()
                yield block.payload
                now = time.monotonic()
                mailbox.say(Delivered(block.samples, block.ready_at, taken_at, now), now)
            case AudioDone():
                return
            case Error() as error:
                raise SessionLostError(error.error.message)
            case Close(reason=reason):
                raise SessionLostError(reason)
            case _:
                pass


class SoundResponse(StreamingResponse):
    """Sends pieces as they come. A client that goes away, or stalls, ends the session.

    Where the sound is cut short the response is left incomplete, and the server aborts the transfer, so that no one
    takes half for whole.
    """

    def __init__(
        self, mailbox: Mailbox, pieces: AsyncIterator[bytes], headers: Mapping[str, str], stall_s: float
    ) -> None:
        super().__init__(pieces, headers=headers)
        self._mailbox, self._stall_s = mailbox, stall_s

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        """Answer as an ASGI application."""
        await carry(self._mailbox, self.stream_response(send), _until_gone(receive))

    async def stream_response(self, send: Send) -> None:
        """The sound; what it takes longer than the stall to send ends it."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for piece in self.body_iterator:
            async with asyncio.timeout(self._stall_s):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
