"""What a server tells of a model, as far as a score must know it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from ostinato.clients.address import http_address
from ostinato.clients.connection import unreachable
from ostinato.clients.errors import CorruptError
from ostinato.clients.refusal import check_answer
from ostinato.models.config import Instrument

TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class ServedClock:
    """A model's rate (Hz) and hop (samples)."""

    sample_rate: int
    hop: int


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model, as scores see it."""

    name: str
    release_s: float
    instruments: tuple[Instrument, ...]
    network: ServedClock


def ask_model(server: str, name: str, api_key: str | None = None) -> ServedModel:
    """Ask a server about one of its models.

    Raises:
        ValueError: where the address is none.
        UnreachableError, RefusedError, CorruptError: where no server answers, it refuses, or it tells something else.
    """
    address = http_address(server, f"/v1/models/{quote(name, safe='')}")
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    try:
        answer = httpx.get(address, headers=headers, timeout=TIMEOUT_S)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise unreachable(address, error) from error
    check_answer(address, answer)
    try:
        return _understood(answer.json())
    except (ValueError, LookupError, TypeError) as error:
        raise CorruptError(f"{address}: {answer.status_code}, and no answer of an Ostinato server") from error


def _understood(told: Any) -> ServedModel:  # noqa: ANN401 (JSON)
    instruments = tuple(
        Instrument(name=i["name"], low=i["low"], high=i["high"], programs=tuple(i["programs"]))
        for i in told["instruments"]
    )
    clock = ServedClock(int(told["sample_rate"]), int(told["hop"]))
    return ServedModel(str(told["id"]), float(told["release_s"]), instruments, clock)
