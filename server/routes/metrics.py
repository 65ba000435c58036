"""`GET /metrics`: the latency monitor for Prometheus, with the API key where there is one, as for every figure."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from ostinato.server.metrics import MonitorCollector
from ostinato.server.openapi import errors
from ostinato.server.service import Service, monitoring

router = APIRouter()


@router.get("/metrics", response_class=Response, responses=errors(403))
def metrics(request: Request, service: Annotated[Service, Depends(monitoring)]) -> Response:
    """Prometheus' text format, or OpenMetrics where the request accepts it; renewed once a second."""
    registry, engine = CollectorRegistry(auto_describe=False), service.engine
    registry.register(MonitorCollector(engine.reading, engine.warm_ups, dict(service.turned_away)))
    encode, media_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(registry), headers={"Content-Type": media_type})
