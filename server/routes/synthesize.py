"""`POST /v1/audio/synthesize`: a list of notes or a MIDI file in, a sound file out, sent as it is drawn."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ostinato.models.config import ModelConfig
from ostinato.server.bodies import content_type, read_body
from ostinato.server.mailbox import Mailbox, carry
from ostinato.server.midi import from_midi
from ostinato.server.openapi import BINARY, SOUND, errors, query, reference
from ostinato.server.protocol import (
    ProtocolError,
    SynthesizeOptions,
    SynthesizeRequest,
    parse_body,
    parse_query,
)
from ostinato.server.score import DEFAULT_LIMITS, Score, ScoreError, TimedNote, from_notes
from ostinato.server.sending import StallingResponse
from ostinato.server.service import Service, caller, service_of
from ostinato.server.sound.accepting import negotiate
from ostinato.server.sound.formats import choose
from ostinato.server.sound.streaming import contain, content_length, encode
from ostinato.server.synthesis import Synthesis, admitted, pcm, served

BODY_BYTES: Final = 2 * 1024 * 1024  # a list of 20,000 notes
JSON_TYPE: Final = "application/json"
MIDI_TYPES: Final = ("audio/midi", "audio/x-midi", "audio/mid")
WARNINGS_SHOWN: Final = 20
GONE_S: Final = 0.25  # between two looks for a client that waits for room

router = APIRouter()

EXAMPLE: Final = {"notes": [{"note": 60, "duration_s": 1.0}, {"note": 67, "duration_s": 1.0, "start_s": 0.5}]}
ASKED: Final = {
    "parameters": query(SynthesizeOptions),
    "requestBody": {
        "required": True,
        "content": {
            JSON_TYPE: {"schema": reference(SynthesizeRequest), "example": EXAMPLE},
            MIDI_TYPES[0]: {"schema": BINARY},
        },
    },
}
TOLD: Final = {200: dict(SOUND), **errors(400, 401, 404, 406, 408, 413, 415, 429, 503, 507)}


@router.post("/v1/audio/synthesize", response_class=Response, openapi_extra=ASKED, responses=TOLD)
async def synthesize(
    request: Request, owner: Annotated[str, Depends(caller)], service: Annotated[Service, Depends(service_of)]
) -> Response:
    """One request, one sound, in its `format`, or in that which `Accept` asks for.

    A MIDI body takes model, seed, format and controls from the query.
    """
    kind = content_type(request, (JSON_TYPE, *MIDI_TYPES))
    body = await read_body(request, BODY_BYTES, service.settings.stall_s)
    options: SynthesizeOptions
    if kind in MIDI_TYPES:
        options = parse_query(request.query_params)
        model, config = served(service.engine.cards, options.model)
        score = await _compose(from_midi, body, config)
    else:
        _refuse_query(request.query_params)
        options = parsed = parse_body(body)
        model, config = served(service.engine.cards, options.model)
        notes = [TimedNote(n.note, n.duration_s, n.start_s, n.velocity, n.instrument) for n in parsed.notes]
        score = await _compose(from_notes, notes, config)
    sound_format = options.format or negotiate(request.headers.get("accept"))
    sound = choose(options, sound_format, config.network.sample_rate)
    seed = secrets.randbits(53) if options.seed is None else options.seed
    return await _begin(request, service, owner, Synthesis(model, seed, options.controls, score, sound))


def _refuse_query(query: Mapping[str, str]) -> None:
    """Nothing of it would be heard beside a JSON body. Raises ProtocolError naming the first."""
    for name, value in query.items():
        message = f"{name}: with a JSON body its options stand in the body, not in the query (value: {value!r})"
        raise ProtocolError("unknown_field", message, param=name)


async def _compose(read: Any, source: bytes | Sequence[TimedNote], config: ModelConfig) -> Score:  # noqa: ANN401
    """A score, made off the event loop."""
    try:
        score = await asyncio.to_thread(read, source, config, DEFAULT_LIMITS)
    except ScoreError as error:
        raise ProtocolError("invalid_value", str(error), param=error.param) from None
    assert isinstance(score, Score)
    return score


async def _begin(request: Request, service: Service, owner: str, synthesis: Synthesis) -> Response:
    """Open a session for the score, and answer once it is admitted."""
    sound, score, tags = synthesis.sound, synthesis.score, synthesis.tags
    headers = {
        "Content-Type": sound.container.media_type,
        "Ostinato-Seed": str(synthesis.seed),
        "Ostinato-Model": synthesis.model,
        "Vary": "Accept",
        # a browser can't ask for a POST once more, to play it
        "Content-Disposition": f'attachment; filename="ostinato.{sound.container.suffix}"',
    }
    length = content_length(sound, score.samples, tags)
    if length is not None:
        headers["Content-Length"] = str(length)
    if score.warnings:
        headers["Ostinato-Warnings"] = json.dumps(score.warnings[:WARNINGS_SHOWN])
    mailbox = Mailbox(service.engine.wake)
    async with AsyncExitStack() as held:
        if sound.exact:
            pieces = contain(pcm(mailbox), sound, score.samples, tags)
        else:
            await held.enter_async_context(service.scratch.room(sound.most_bytes(score.samples)))
            pieces = encode(service.scratch.file, pcm(mailbox), sound, score.samples, tags)
        service.engine.open(synthesis.opening(mailbox, owner))
        await _wait_for_room(mailbox, request)
        return SoundResponse(mailbox, pieces, headers, service.settings.stall_s, held.pop_all())


async def _wait_for_room(mailbox: Mailbox, request: Request) -> None:
    """Wait for the session, as long as the client does. Raises ProtocolError where it is refused."""
    answer = asyncio.create_task(admitted(mailbox))
    try:
        while not answer.done():
            await asyncio.wait([answer], timeout=GONE_S)
            if not answer.done() and await request.is_disconnected():
                raise ProtocolError("gone", "the client went away before there was room")
        answer.result()
    except BaseException:
        answer.cancel()
        mailbox.hang_up()
        raise


class SoundResponse(StallingResponse):
    """Sends pieces as they come. A client that goes away, or stalls, ends the session. Then what is held is let go."""

    def __init__(
        self,
        mailbox: Mailbox,
        pieces: AsyncGenerator[bytes, None],
        headers: Mapping[str, str],
        stall_s: float,
        held: AsyncExitStack,
    ) -> None:
        super().__init__(pieces, headers, stall_s)
        self._mailbox, self._held = mailbox, held

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        """Answer as an ASGI application."""
        async with self._held:
            await carry(self._mailbox, self.stream_response(send), _until_gone(receive))


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
