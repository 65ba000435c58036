"""`/healthz`: the process lives. `/readyz`: it can take a session."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from ostinato.server.service import Service, service_of

router = APIRouter()


class NotReady(BaseModel):
    """Why no session can be taken."""

    status: Literal["not ready"] = "not ready"
    reason: str


class Readiness(BaseModel):
    """What can be had: of every model `fast` sessions and synthesis, of some live sessions too."""

    status: Literal["ready"] = "ready"
    live: tuple[str, ...]  # models that are drawn faster than real time
    too_slow: dict[str, float]  # those that are not, and their real-time factors
    check_s: float  # what finding that out took at the start


@router.get("/healthz")
def healthz(service: Annotated[Service, Depends(service_of)]) -> JSONResponse:
    """200 while the engine's thread runs."""
    alive = service.engine.alive
    return JSONResponse({"status": "alive" if alive else "dead"}, 200 if alive else 503)


@router.get("/readyz", responses={503: {"description": "No session can be taken; `reason` tells why."}})
def readyz(service: Annotated[Service, Depends(service_of)], response: Response) -> Readiness | NotReady:
    """200 when models are loaded and warmed up."""
    engine, fault = service.engine, service.fault
    if fault is not None:
        response.status_code, response.headers["Retry-After"] = 503, "1"
        return NotReady(reason=fault)
    return Readiness(
        live=tuple(w.model for w in engine.warm_ups if w.live_voices),
        too_slow={w.model: round(w.rtf, 3) for w in engine.warm_ups if not w.live_voices},
        check_s=round(engine.check_s, 3),
    )
