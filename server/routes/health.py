"""`/healthz`: the process lives. `/readyz`: it can take a session. `/v1/latency`: how it does."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

from ostinato.server.latency import LatencyReport
from ostinato.server.service import Service, authorised, service_of

router = APIRouter()


@router.get("/healthz")
def healthz(service: Annotated[Service, Depends(service_of)]) -> JSONResponse:
    """200 while the engine's thread runs."""
    alive = service.engine.alive
    return JSONResponse({"status": "alive" if alive else "dead"}, 200 if alive else 503)


@router.get("/readyz")
def readyz(service: Annotated[Service, Depends(service_of)]) -> JSONResponse:
    """200 when models are loaded, warmed up, and drawn faster than real time."""
    fault = service.fault
    if fault is not None:
        return JSONResponse({"status": "not ready", "reason": fault}, 503, headers={"Retry-After": "1"})
    return JSONResponse({"status": "ready"})


@router.get("/v1/latency")
def latency(service: Annotated[Service, Depends(authorised)]) -> LatencyReport:
    """The latency monitor's report, renewed once a second."""
    return service.engine.latency
