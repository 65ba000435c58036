"""The application: routes over one engine, and one shape for every error."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Final

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from ostinato.models.checkpoint import Checkpoint
from ostinato.server.attendance import AttendanceConfig
from ostinato.server.cores import spare_cores
from ostinato.server.engine import Engine, EngineConfig
from ostinato.server.pool import SamplerConfig
from ostinato.server.protocol import ErrorKind, HttpError, ProtocolError
from ostinato.server.routes import health, latency, metrics, models, stream, synthesize
from ostinato.server.service import Service
from ostinato.server.settings import Settings

STATUS: Final = {
    "not_authorised": 401,
    "full": 503,
    "draining": 503,
    "unknown_model": 404,
    "body_too_big": 413,
    "over_limit": 413,
    "unsupported_type": 415,
}
KIND_STATUS: Final[dict[ErrorKind, int]] = {
    "invalid_request": 400,
    "not_authorised": 401,
    "capacity": 429,
    "internal": 500,
}


def create_app(settings: Settings, checkpoints: Mapping[str, Checkpoint]) -> FastAPI:
    """The application that serves these models, by the names they are asked for.

    Its engine starts and stops with the application's lifespan.
    """
    sampler = SamplerConfig(
        settings.engine, settings.device, settings.slots, settings.precision, settings.threads or spare_cores()
    )
    attendance = AttendanceConfig(settings.idle_s, settings.queue, settings.queue_s, settings.resume_window_s)
    service = Service(settings, Engine(checkpoints, EngineConfig(sampler, settings.lead_ms, attendance)))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.engine.start()
        try:
            yield
        finally:
            service.engine.stop()

    app = FastAPI(title="Ostinato", version=version("ostinato"), lifespan=lifespan)
    app.state.service = service
    for routes in (stream, synthesize, models, latency, metrics, health):
        app.include_router(routes.router)
    app.add_exception_handler(ProtocolError, _refuse)
    app.add_exception_handler(HTTPException, _refuse_path)
    app.add_exception_handler(Exception, _fail)
    return app


def _refuse(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ProtocolError)
    status = STATUS.get(error.detail.code, KIND_STATUS[error.detail.type])
    headers = {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(round(error.retry_after_s))
    return _answer(error, status, headers)


def _refuse_path(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    refusal = ProtocolError(
        "not_found" if error.status_code == 404 else "refused", f"{request.method} {request.url.path}: {error.detail}"
    )
    return _answer(refusal, error.status_code, dict(error.headers or {}))


def _fail(_: Request, __: Exception) -> JSONResponse:
    return _answer(ProtocolError("internal", "something went wrong in the server", kind="internal"), 500, {})


def _answer(error: ProtocolError, status: int, headers: Mapping[str, str]) -> JSONResponse:
    return JSONResponse(HttpError.of(error.detail).model_dump(), status, headers=dict(headers))
