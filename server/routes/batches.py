"""`/v1/batches`: many sounds accepted at once, and collected when they are done."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Generator
from typing import Annotated, BinaryIO, Final

from fastapi import APIRouter, Depends, Request
from pydantic import ValidationError
from starlette.responses import JSONResponse, Response

from ostinato.server.aside import aside
from ostinato.server.attendance import draining
from ostinato.server.batches.archive import zipped
from ostinato.server.batches.body import Asked, read_form, read_json
from ostinato.server.batches.telling import manifest
from ostinato.server.bodies import content_type, read_body
from ostinato.server.openapi import BINARY, SOUND, errors, query, reference
from ostinato.server.protocol import (
    Batches,
    BatchItems,
    BatchItemsQuery,
    BatchRequest,
    BatchStatus,
    ProtocolError,
)
from ostinato.server.protocol.faults import explain
from ostinato.server.sending import StallingResponse
from ostinato.server.service import Service, caller, service_of
from ostinato.server.sound.accepting import accepts, not_acceptable
from ostinato.server.sound.formats import CONTAINERS

JSON_TYPE: Final = "application/json"
FORM_TYPE: Final = "multipart/form-data"
KEY: Final = re.compile(r"[\x20-\x7e]{1,255}")
CHUNK_BYTES: Final = 64 * 1024
WARNINGS_SHOWN: Final = 20

router = APIRouter()
Owner = Annotated[str, Depends(caller)]
Serving = Annotated[Service, Depends(service_of)]

FORM: Final = {
    "type": "object",
    "properties": {
        "files": {"type": "array", "items": BINARY, "description": "MIDI files, an item each, in order."},
        "defaults": {"type": "string", "contentMediaType": "application/json", "description": "SynthesizeOptions."},
    },
}
EXAMPLE: Final = {"items": [{"notes": [{"note": note, "duration_s": 1.0}]} for note in (60, 64, 67)]}
POSTED: Final = {
    "parameters": [
        {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "schema": {"type": "string", "maxLength": 255},
            "description": "Sent again with the same request, the batch that it made before is the answer.",
        }
    ],
    "requestBody": {
        "required": True,
        "content": {JSON_TYPE: {"schema": reference(BatchRequest), "example": EXAMPLE}, FORM_TYPE: {"schema": FORM}},
    },
}
ZIP: Final = {"description": "The files, and batch.json.", "content": {"application/zip": {"schema": BINARY}}}


@router.post(
    "/v1/batches",
    status_code=202,
    response_model=BatchStatus,
    openapi_extra=POSTED,
    responses=errors(400, 401, 404, 408, 413, 415, 422, 429, 503, 507),
)
async def post(request: Request, owner: Owner, service: Serving) -> JSONResponse:
    """Accept a batch: what is accepted will be drawn, through restarts too, with the seed that it has now."""
    batches = service.batches
    batches.check()
    if service.engine.draining:
        raise draining(service.settings.drain_s)
    key = request.headers.get("idempotency-key")
    if key is not None and not KEY.fullmatch(key):
        message = f"idempotency-key: is of 1 to 255 printable ASCII characters (value: {key[:80]!r})"
        raise ProtocolError("invalid_value", message, param="idempotency-key")
    with batches.reading(owner):
        status = await batches.accept(await _read(request, service), owner, key)
    return JSONResponse(status.model_dump(), 202, headers={"Location": f"/v1/batches/{status.id}"})


@router.get("/v1/batches", responses=errors(401, 429, 503, 507))
async def everything(owner: Owner, service: Serving) -> Batches:
    """The last batches of whoever asks, the newest first."""
    return Batches(batches=tuple(await service.batches.owned(owner)))


@router.get("/v1/batches/{batch}", responses=errors(401, 404, 429, 503, 507))
async def one(batch: str, owner: Owner, service: Serving) -> BatchStatus:
    """How a batch stands."""
    return await service.batches.status(batch, owner)


@router.delete("/v1/batches/{batch}", responses=errors(401, 404, 429, 503, 507))
async def cancel(batch: str, owner: Owner, service: Serving) -> BatchStatus:
    """Draw no more of a batch, and remove its files. One that is over keeps its state and counts."""
    return await service.batches.cancel(batch, owner)


@router.get(
    "/v1/batches/{batch}/items",
    openapi_extra={"parameters": query(BatchItemsQuery)},
    responses=errors(400, 401, 404, 429, 503, 507),
)
async def items(request: Request, batch: str, owner: Owner, service: Serving) -> BatchItems:
    """How its items stand, a page at a time: what was decided of each, its seed among it."""
    try:
        asked = BatchItemsQuery.model_validate_strings(dict(request.query_params))
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise explain(fault, fault["loc"], "query") from None
    found = await service.batches.items(batch, owner, asked.first, asked.limit + 1)
    more = len(found) > asked.limit
    return BatchItems(
        items=tuple(found[: asked.limit]), first=asked.first, next=asked.first + asked.limit if more else None
    )


@router.get(
    "/v1/batches/{batch}/items/{item:int}/audio",
    response_class=Response,
    responses={200: dict(SOUND), **errors(401, 404, 406, 409, 429, 503, 507)},
)
async def audio(request: Request, batch: str, item: int, owner: Owner, service: Serving) -> Response:
    """The file of an item, in the format that was asked for with it."""
    file, found = await service.batches.file(batch, owner, item)
    accept, media_type = request.headers.get("accept"), CONTAINERS[found.format].media_type
    if not accepts(accept, found.format):
        file.close()
        raise not_acceptable(accept, [media_type])
    headers = {
        "Content-Type": media_type,
        "Content-Length": str(found.bytes),
        "Ostinato-Model": found.model,
        "Ostinato-Seed": str(found.seed),
        "Vary": "Accept",
    }
    if found.warnings:
        headers["Ostinato-Warnings"] = json.dumps(found.warnings[:WARNINGS_SHOWN])
    return StallingResponse(_stepwise(_pieces(file)), headers, service.settings.stall_s)


@router.get(
    "/v1/batches/{batch}/audio.zip",
    response_class=Response,
    responses={200: ZIP, **errors(401, 404, 409, 429, 503, 507)},
)
async def archive(batch: str, owner: Owner, service: Serving) -> Response:
    """Every file of a batch that is done, and `batch.json`, which tells of every item."""
    kept, paths, items = await service.batches.files(batch, owner)
    headers = {"Content-Type": "application/zip", "Content-Disposition": f'attachment; filename="{batch}.zip"'}
    pieces = _stepwise(zipped(paths, "batch.json", manifest(items), kept.created))
    return StallingResponse(pieces, headers, service.settings.stall_s)


async def _read(request: Request, service: Service) -> Asked:
    """What a request asks for, read off the event loop."""
    config = service.batches.config
    kind = content_type(request, (JSON_TYPE, FORM_TYPE))
    body = await read_body(request, config.body_bytes, service.settings.stall_s)
    if kind == FORM_TYPE:
        return await read_form(request.headers, body, config.items)
    return await asyncio.to_thread(read_json, body, config.items)


def _pieces(file: BinaryIO) -> Generator[bytes, None, None]:
    with file:
        while piece := file.read(CHUNK_BYTES):
            yield piece


async def _stepwise(pieces: Generator[bytes, None, None]) -> AsyncGenerator[bytes, None]:
    """Each piece made off the event loop."""
    try:
        while (piece := await aside(next, pieces, None)) is not None:
            yield piece
    finally:
        await aside(pieces.close)
