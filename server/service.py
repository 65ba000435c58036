"""What every route needs: the engine, the settings, and who may call."""

from __future__ import annotations

import hmac
from collections import Counter
from dataclasses import dataclass, field

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from ostinato.server.engine import Engine
from ostinato.server.protocol import CloseCode, ProtocolError
from ostinato.server.settings import Settings


@dataclass(frozen=True)
class Service:
    """One server's parts, kept in the app's state."""

    settings: Settings
    engine: Engine
    connections: set[object] = field(default_factory=set)  # that are being served
    turned_away: Counter[str] = field(default_factory=Counter)  # sockets, by the code of why, before the engine

    def authorise(self, headers: Headers) -> None:
        """Refuse a request without the API key, where there is one. Raises ProtocolError."""
        key = self.settings.api_key
        if key is None:
            return
        scheme, _, given = headers.get("authorization", "").partition(" ")
        known = hmac.compare_digest(given.strip().encode(), key.get_secret_value().encode())
        if scheme.lower() != "bearer" or not known:
            message = "Authorization: a Bearer token with this server's API key is needed"
            raise ProtocolError(
                "not_authorised",
                message,
                param="authorization",
                kind="not_authorised",
                close=CloseCode.NOT_AUTHORISED,
            )

    @property
    def fault(self) -> str | None:
        """Why no session can be taken; None where one can."""
        engine = self.engine
        if engine.fault is not None:
            return f"the engine stopped: {engine.fault}"
        if engine.draining:
            return "the server is about to stop"
        return None if engine.ready.is_set() else "models are being loaded"


def service_of(connection: HTTPConnection) -> Service:
    """The service that a request or socket is served by; a dependency of routes."""
    service = connection.app.state.service
    assert isinstance(service, Service)
    return service


def authorised(connection: HTTPConnection) -> Service:
    """The same, for those who may call; a dependency of routes. Raises ProtocolError."""
    service = service_of(connection)
    service.authorise(connection.headers)
    return service
