"""The application: routes over one engine, and one shape for every error."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI, Request, Security
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from ostinato.models.checkpoint import Checkpoint
from ostinato.server.answers import answer
from ostinato.server.attendance import AttendanceConfig
from ostinato.server.batches.queue import BatchQueue
from ostinato.server.cores import spare_cores
from ostinato.server.engine import Engine, EngineConfig
from ostinato.server.guard import ConnectionLimit, OriginCheck
from ostinato.server.keys import Keys
from ostinato.server.openapi import add_models, drop_invented, errors, summarise
from ostinato.server.origins import Names
from ostinato.server.pool import SamplerConfig
from ostinato.server.protocol import BatchRequest, ProtocolError, SynthesizeRequest
from ostinato.server.rates import Rates
from ostinato.server.routes import batches, health, latency, metrics, models, stream, synthesize, tokens
from ostinato.server.routes.docs import ASYNCAPI, OPENAPI, docs_routes
from ostinato.server.routes.page import page_routes
from ostinato.server.service import Service
from ostinato.server.settings import Settings
from ostinato.server.sound.scratch import Scratch
from ostinato.server.tokens import Tokens

METHODS: Final = ("GET", "POST", "DELETE")
ASKED: Final = ("Authorization", "Content-Type", "Idempotency-Key")  # headers that a page of an allowed origin may send
BODIES: Final = (BatchRequest, SynthesizeRequest)
TOLD: Final = (
    "Location",
    "Ostinato-Model",
    "Ostinato-Seed",
    "Ostinato-Warnings",
    "Retry-After",
)  # and those that it may read
KEYED: Final = (
    (synthesize, "sound"),
    (batches, "batches"),
    (models, "models"),
    (tokens, "tokens"),
    (latency, "monitor"),
    (metrics, "monitor"),
)
# for the document alone: the routes check the key themselves, which a server may not have
KEY: Final = HTTPBearer(scheme_name="key", description="An API key, where the server has any.", auto_error=False)
DESCRIPTION: Final = f"""\
Sample-level autoregressive audio, drawn in real time.

These are the HTTP routes. Live sessions are on the WebSocket `/v1/audio/stream`, which \
[`{ASYNCAPI}`]({ASYNCAPI}) describes."""


class Application(FastAPI):
    """An application whose every answer, that of its own failures too, passes through the checks around it."""

    def openapi(self) -> dict[str, Any]:
        """The document at `/openapi.json`, with the bodies that routes read by themselves."""
        if self.openapi_schema is None:
            document = super().openapi()
            add_models(document, BODIES)
            drop_invented(document)
            summarise(document)
        return super().openapi()

    def build_middleware_stack(self) -> ASGIApp:
        """From the inside: what there is of FastAPI, the number of connections, CORS, origins."""
        settings: Settings = self.state.service.settings
        bounded = ConnectionLimit(super().build_middleware_stack(), settings.connections)
        shared = CORSMiddleware(
            bounded,
            allow_origins=settings.allowed_origins,
            allow_methods=METHODS,
            allow_headers=ASKED,
            allow_private_network=True,
            expose_headers=TOLD,
        )
        # rebinding gains nothing where a key is needed, and a server behind a proxy can't know its names
        known = settings.allowed_hosts or not settings.keys
        return OriginCheck(
            shared, Names(settings.host, settings.allowed_hosts) if known else None, settings.allowed_origins
        )


def create_app(settings: Settings, checkpoints: Mapping[str, Checkpoint], page: Path | None = None) -> FastAPI:
    """The application that serves these models, by the names they are asked for.

    Its engine starts and stops with the application's lifespan.

    Args:
        settings: how.
        checkpoints: the models.
        page: the folder of the page at `/`; None: there is none.
    """
    sampler = SamplerConfig(
        settings.engine, settings.device, settings.slots, settings.precision, settings.threads or spare_cores()
    )
    attendance = AttendanceConfig(settings.idle_s, settings.queue, settings.queue_s, settings.resume_window_s)
    config = EngineConfig(sampler, settings.lead_ms, attendance, settings.limits, settings.paced)
    engine = Engine(checkpoints, config)
    requests = Rates(settings.requests_per_s, settings.requests_burst)
    queue = BatchQueue(engine, settings.batches, settings.limits, settings.slots)
    scratch = Scratch(settings.data, settings.least_free_bytes)
    service = Service(settings, engine, Keys(settings.keys), Tokens(settings.token_s), requests, queue, scratch)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.engine.start()
        await service.batches.start()
        try:
            yield
        finally:
            try:
                await service.batches.stop()
            finally:
                service.engine.stop()

    app = Application(
        title="Ostinato",
        version=version("ostinato"),
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=OPENAPI,
    )
    app.state.service = service
    app.include_router(stream.router)
    app.include_router(health.router, tags=["health"])
    for routes, tag in KEYED:
        app.include_router(routes.router, tags=[tag], dependencies=[Security(KEY)], responses=errors(401, 429))
    app.include_router(docs_routes())
    if page is not None:
        app.include_router(page_routes(page))
    app.add_exception_handler(ProtocolError, _refuse)
    app.add_exception_handler(HTTPException, _refuse_path)
    app.add_exception_handler(Exception, _fail)
    return app


def _refuse(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ProtocolError)
    return answer(error)


def _refuse_path(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    refusal = ProtocolError(
        "not_found" if error.status_code == 404 else "refused", f"{request.method} {request.url.path}: {error.detail}"
    )
    response = answer(refusal, error.status_code)
    response.headers.update(error.headers or {})
    return response


def _fail(_: Request, __: Exception) -> JSONResponse:
    return answer(ProtocolError("internal", "something went wrong in the server", kind="internal"))
