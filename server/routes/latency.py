"""`/v1/latency`: how the server does; `/v1/latency/recent`: what happened in the last minute."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ostinato.server.latency_report import LatencyReport, RecentReport
from ostinato.server.openapi import errors, query
from ostinato.server.protocol.faults import explain
from ostinato.server.recent import LOOK_BACK_S
from ostinato.server.service import Service, monitoring

router = APIRouter()


class RecentQuery(BaseModel):
    """What to look at."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    seconds: float = Field(10.0, gt=0.0, le=LOOK_BACK_S)  # back from the last reading
    session_id: str | None = Field(None, max_length=64)  # None: every session


QUERY: Final = {"parameters": query(RecentQuery)}


@router.get("/v1/latency", responses=errors(403))
def latency(service: Annotated[Service, Depends(monitoring)]) -> LatencyReport:
    """The latency monitor's report, renewed once a second."""
    return service.engine.latency


@router.get("/v1/latency/recent", openapi_extra=QUERY, responses=errors(400, 403))
def recent(request: Request, service: Annotated[Service, Depends(monitoring)]) -> RecentReport:
    """Every block, every missed deadline and every session's seconds, of the last 10 s or of `seconds`, 60 at most."""
    try:
        asked = RecentQuery.model_validate(dict(request.query_params))
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise explain(fault, fault["loc"], "query") from None
    return service.engine.recent(asked.seconds, asked.session_id)
