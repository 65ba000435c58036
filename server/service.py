"""What every route needs: the engine, the settings, and who may call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from ostinato.server.batches.queue import BatchQueue
from ostinato.server.departures import Departures
from ostinato.server.engine import Engine
from ostinato.server.keys import Keys
from ostinato.server.mailbox import Mailbox
from ostinato.server.protocol import TOKEN_SUBPROTOCOL, CloseCode, ProtocolError
from ostinato.server.rates import NOBODY, Rates
from ostinato.server.settings import Settings
from ostinato.server.sound.scratch import Scratch
from ostinato.server.tokens import Tokens


@dataclass(frozen=True)
class Service:
    """One server's parts, kept in the app's state."""

    settings: Settings
    engine: Engine
    keys: Keys
    tokens: Tokens
    requests: Rates
    batches: BatchQueue
    scratch: Scratch
    departures: Departures = field(default_factory=Departures)
    connections: set[Mailbox] = field(default_factory=set)  # of the sockets that are being served
    turned_away: Counter[str] = field(default_factory=Counter)  # sockets, by the code of why, before the engine

    def authorise(self, headers: Headers, subprotocols: Sequence[str] = ()) -> str:
        """Whose key, or on a socket whose token, this is, counted among the owner's requests; "" without keys.

        Raises:
            ProtocolError: fatal, where it is nobody's, or one request too many.
        """
        try:
            owner = self._owner(headers, subprotocols) if self.keys else ""
        except ProtocolError:
            self.requests.count(NOBODY)  # guesses are counted together, and keep no owner out
            raise
        self.requests.count(owner)
        return owner

    def _owner(self, headers: Headers, subprotocols: Sequence[str]) -> str:
        tokens = [s.removeprefix(TOKEN_SUBPROTOCOL) for s in subprotocols if s.startswith(TOKEN_SUBPROTOCOL)]
        if tokens and "authorization" not in headers:
            return self.tokens.owner_of(tokens[0])
        scheme, _, given = headers.get("authorization", "").partition(" ")
        owner = self.keys.owner_of(given.strip())
        if scheme.lower() != "bearer" or owner is None:
            message = "Authorization: a Bearer token with this server's API key is needed"
            raise ProtocolError(
                "not_authorised",
                message,
                param="authorization",
                kind="not_authorised",
                close=CloseCode.NOT_AUTHORISED,
            )
        return owner

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


async def caller(connection: HTTPConnection) -> str:
    """The owner of the key that a request bears; a dependency of routes. Raises ProtocolError."""
    return service_of(connection).authorise(connection.headers)


async def monitoring(connection: HTTPConnection, owner: Annotated[str, Depends(caller)]) -> Service:
    """The service, for those who may read what it measures; a dependency of routes. Raises ProtocolError."""
    service = service_of(connection)
    if service.settings.monitors and owner not in service.settings.monitors:
        message = f"authorization: the key of {owner} may not read the monitor"
        raise ProtocolError("not_allowed", message, param="authorization", kind="not_authorised")
    return service


async def authorised(connection: HTTPConnection, _: Annotated[str, Depends(caller)]) -> Service:
    """The service, for those who may call; a dependency of routes. Raises ProtocolError."""
    return service_of(connection)
