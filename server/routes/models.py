"""`GET /v1/models`: what can be sampled, and what a listener may steer."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from ostinato.server.openapi import errors
from ostinato.server.pool import Card, WarmUp
from ostinato.server.protocol import ProtocolError
from ostinato.server.service import Service, authorised

router = APIRouter()


class ControlInfo(BaseModel):
    """One control, its range and unit."""

    name: str
    unit: str
    low: float
    high: float
    default: float
    description: str
    per_voice: bool
    ramped: bool


class InstrumentInfo(BaseModel):
    """One instrument, the MIDI notes it was taught, and the General MIDI programs (from 0) that it plays."""

    name: str
    low: float
    high: float
    programs: tuple[int, ...]
    temperature: float  # times the control's


class EngineInfo(BaseModel):
    """What draws a model here. The same engine, precision and instruction set give the same bytes for a seed."""

    engine: str
    precision: str
    isa: str
    device: str
    threads: int  # at most


class ModelInfo(BaseModel):
    """One model."""

    id: str
    description: str
    strategy: str
    licence: str
    sample_rate: int
    hop: int
    release_s: float
    parameters: int
    receptive_field: int  # samples
    macs_per_sample: int
    live_voices: int | None  # that this server can play at once in real time; None until it is measured
    engine: EngineInfo | None  # None until then, too
    instruments: tuple[InstrumentInfo, ...]
    controls: tuple[ControlInfo, ...]


class ModelList(BaseModel):
    """Every model served; the first is the default."""

    models: tuple[ModelInfo, ...]


def describe(name: str, card: Card, warm_up: WarmUp | None) -> ModelInfo:
    """A card as the wire shows it."""
    config, network = card.config, card.config.network
    return ModelInfo(
        id=name,
        description=config.description,
        strategy=config.strategy,
        licence=config.licence,
        sample_rate=network.sample_rate,
        hop=network.hop,
        release_s=config.release_s,
        parameters=card.parameters,
        receptive_field=network.receptive_field,
        macs_per_sample=network.macs_per_sample,
        live_voices=warm_up.live_voices if warm_up else None,
        engine=EngineInfo(**asdict(warm_up.build)) if warm_up else None,
        instruments=tuple(InstrumentInfo(**instrument.model_dump()) for instrument in config.instruments),
        controls=tuple(ControlInfo(**asdict(spec)) for spec in card.controls),
    )


@router.get("/v1/models")
def models(service: Annotated[Service, Depends(authorised)]) -> ModelList:
    """Every model served."""
    shown, cards = _warm_ups(service), service.engine.cards
    return ModelList(models=tuple(describe(name, card, shown.get(name)) for name, card in cards.items()))


@router.get("/v1/models/{model_id}", responses=errors(404))
def model(model_id: str, service: Annotated[Service, Depends(authorised)]) -> ModelInfo:
    """One model."""
    card = service.engine.cards.get(model_id)
    if card is None:
        known = ", ".join(service.engine.cards)
        raise ProtocolError("unknown_model", f"model: {model_id!r} is not served; there are {known}", param="model")
    return describe(model_id, card, _warm_ups(service).get(model_id))


def _warm_ups(service: Service) -> dict[str, WarmUp]:
    return {warm_up.model: warm_up for warm_up in service.engine.warm_ups}
