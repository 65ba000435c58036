"""Which names a server answers to, and which web pages may speak to it.

A browser lets any page send requests to any address, loopback too, and open WebSockets to it. Two headers that no page
can set tell what it was led to do: `Host`, the name that it looked the server up by (against DNS rebinding), and
`Origin`, where the page came from (against cross-site requests).
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from ostinato.server.protocol import CloseCode, ProtocolError

ANY: Final = "*"
PORTS: Final = {"http": 80, "https": 443}
HOST: Final = re.compile(r"\*|[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*|\[?[0-9A-Fa-f:.]+\]?")
AUTHORITY: Final = re.compile(r"//[^/?#@\\\s]+")  # no path, no user: nothing that readers of it could differ on
ORIGIN: Final = re.compile(r"\*|[A-Za-z][A-Za-z0-9+.-]*://[^/?#@\s]+")


def well_formed_host(host: str) -> str:
    """A name or an address, lower case and bare; or * for any. Raises ValueError naming its value."""
    if not HOST.fullmatch(host):
        raise ValueError(f"{host!r} is no name or address of a host, without scheme and port, nor *")
    return host.lower().strip("[]")


def well_formed_origin(origin: str) -> str:
    """An origin as browsers write it, a default port left out; or * for any. Raises ValueError naming its value."""
    if not ORIGIN.fullmatch(origin):
        raise ValueError(f"{origin!r} is no origin such as https://example.com or http://localhost:5173, nor *")
    origin = origin.lower()
    return origin.removesuffix(f":{PORTS.get(origin.partition('://')[0])}")


@dataclass(frozen=True)
class Names:
    """What a server is called."""

    bound: str  # the host that it listens on
    allowed: tuple[str, ...] = ()

    def __contains__(self, name: str) -> bool:
        if name == "localhost" or name == self.bound.lower() or name in self.allowed or ANY in self.allowed:
            return True
        address = _address(name)
        if not self._everywhere:
            return address is not None and (address.is_loopback or address == _address(self.bound))
        # an address was not looked up, so nobody can have rebound it
        return address is not None or name == socket.gethostname().lower()

    @property
    def _everywhere(self) -> bool:
        bound = _address(self.bound)
        return bound is not None and bound.is_unspecified


def check_host(host: str, names: Names) -> None:
    """Refuse a Host header that names another server. Raises ProtocolError, fatal."""
    if _split(f"//{host}")[0] not in names:
        raise _refused("wrong_host", "host", f"Host: this server is not {host!r}", "OSTINATO_ALLOWED_HOSTS")


def check_origin(origin: str, host: str, allowed: Collection[str]) -> None:
    """Refuse an Origin header of another site than the host's own and those allowed. Raises ProtocolError, fatal."""
    if ANY in allowed or origin.lower() in allowed:
        return
    scheme, _, rest = origin.partition("://")  # the page's: behind a proxy it may be https where this server's is not
    default = PORTS.get(scheme.lower())
    own = _split(f"//{host}", default)
    if default is None or not own[0] or own != _split(f"//{rest}", default):
        message = f"Origin: pages of {origin!r} may not call {host!r}"
        raise _refused("wrong_origin", "origin", message, "OSTINATO_ALLOWED_ORIGINS")


def _split(address: str, port: int | None = None) -> tuple[str, int | None]:
    """The host, lower case and bare, and the port of `//host:port`; no host where it is none."""
    if not AUTHORITY.fullmatch(address):
        return "", None
    try:
        parts = urlsplit(address)
        return (parts.hostname or "").rstrip("."), parts.port or port
    except ValueError:
        return "", None


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _refused(code: str, param: str, message: str, setting: str) -> ProtocolError:
    return ProtocolError(
        code,
        f"{message}; {setting} can allow it",
        param=param,
        kind="not_authorised",
        close=CloseCode.NOT_AUTHORISED,
    )
