"""What every request and socket passes before any route: whom it calls, where it comes from, how many are open."""

from __future__ import annotations

from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from ostinato.server.admission import full
from ostinato.server.answers import PROBES, turn_away
from ostinato.server.origins import Names, check_host, check_origin
from ostinato.server.protocol import ProtocolError


class OriginCheck:
    """ASGI middleware: turns away who calls the server by another name, or comes from another site.

    Args:
        app: what lies behind.
        names: those that the server answers to, probes aside, which call by the address of the moment; None: any.
        origins: those whose pages may call, beside the server's own.
    """

    def __init__(self, app: ASGIApp, names: Names | None, origins: Collection[str]) -> None:
        self._app, self._names, self._origins = app, names, origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve as an ASGI application."""
        if scope["type"] != "lifespan":
            try:
                self._check(scope["path"], Headers(scope=scope))
            except ProtocolError as error:
                await turn_away(error, scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _check(self, path: str, headers: Headers) -> None:
        host, origin = headers.get("host", ""), headers.get("origin")
        if self._names is not None and path not in PROBES:
            check_host(host, self._names)
        if origin is not None:
            check_origin(origin, host, self._origins)


class ConnectionLimit:
    """ASGI middleware: turns away what would be one open request or socket too many, probes aside."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app, self._most, self._open = app, most, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve as an ASGI application."""
        if scope["type"] == "lifespan" or scope["path"] in PROBES:
            await self._app(scope, receive, send)
            return
        if self._open >= self._most:
            await turn_away(full(f"connections: {self._open} are open, the most there may be"), scope, receive, send)
            return
        self._open += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._open -= 1
