"""`POST /v1/tokens`: a key's owner gets what a browser may hold."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from ostinato.server.protocol import Token
from ostinato.server.service import Service, caller, service_of

router = APIRouter()


@router.post("/v1/tokens")
async def issue(
    owner: Annotated[str, Depends(caller)], service: Annotated[Service, Depends(service_of)], response: Response
) -> Token:
    """A token in the name of the key that asks."""
    response.headers["Cache-Control"] = "no-store"
    return Token(token=service.tokens.issue(owner), expires_s=service.tokens.lasts_s)
