"""How an error is told: over HTTP with its status, in one shape; on a socket as a message, and then a close."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import Final

from fastapi.responses import JSONResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from ostinato.server.protocol import SUBPROTOCOL, CloseCode, ErrorKind, HttpError, ProtocolError

PROBES: Final = ("/healthz", "/readyz")  # answered to whoever asks, at any time
STATUS: Final = {
    "not_authorised": 401,
    "not_allowed": 403,
    "wrong_origin": 403,
    "wrong_host": 421,
    "full": 503,
    "draining": 503,
    "unknown_model": 404,
    "body_too_big": 413,
    "over_limit": 413,
    "unsupported_type": 415,
    "not_acceptable": 406,
    "not_found": 404,
    "stalled": 408,
    "not_done": 409,
    "not_kept": 409,
    "failed": 409,
    "key_reused": 422,
    "no_batches": 503,
    "no_space": 507,
}
KIND_STATUS: Final[dict[ErrorKind, int]] = {
    "invalid_request": 400,
    "not_authorised": 401,
    "capacity": 429,
    "internal": 500,
}


def answer(error: ProtocolError, status: int | None = None) -> JSONResponse:
    """An error over HTTP; status: its own, where none is given."""
    status = status or STATUS.get(error.detail.code, KIND_STATUS[error.detail.type])
    headers = {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
    return JSONResponse(HttpError.of(error.detail).model_dump(), status, headers=headers)


async def accept(socket: WebSocket) -> None:
    """Accept a socket, with the subprotocol where it is offered; a token beside it is never sent back."""
    await socket.accept(SUBPROTOCOL if SUBPROTOCOL in socket.scope["subprotocols"] else None)


async def turn_away(error: ProtocolError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer whoever gets no further. A socket is accepted first, so that a browser can read why it is closed."""
    if scope["type"] == "http":
        await answer(error)(scope, receive, send)
        return
    socket = WebSocket(scope, receive, send)
    with suppress(WebSocketDisconnect):
        await accept(socket)
        await socket.send_text(error.as_message().to_json())
        await socket.close(error.close or CloseCode.NOT_AUTHORISED, error.detail.code)
