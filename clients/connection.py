"""How a connection to a server is opened, how long it is waited for, and what to tell where it fails."""

from __future__ import annotations

import ssl
import struct
import sys
from contextlib import suppress
from dataclasses import dataclass
from socket import SO_SNDTIMEO, SOL_SOCKET, socket
from typing import Any, Final

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.typing import Subprotocol

from ostinato.clients.errors import LostError, SilentError, UnreachableError
from ostinato.server.protocol import SUBPROTOCOL, TOKEN_SUBPROTOCOL

FRAME_BYTES: Final = 1 << 20  # the largest frame taken
LOOKS: Final = 3  # times that a silent server is asked for a sign before it is given up


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long to wait, seconds."""

    open_s: float = 10.0  # for the socket
    silence_s: float = 9.0  # for the next frame, where a server answers a ping; it keeps 15 s for one who comes back
    close_s: float = 5.0
    reconnect_s: float = 30.0  # for a way back after a lost connection; 0: none is looked for
    answer_s: float = 90.0  # for an HTTP answer; who finds the server full waits in line for a minute


DEFAULT_TIMEOUTS: Final = Timeouts()
STALLED: Final = (BlockingIOError, ssl.SSLWantWriteError)  # what a send that was bounded raises in the end
OPENING_ERRORS: Final = (OSError, TimeoutError, InvalidHandshake, InvalidURI, ConnectionClosed)


def socket_options(api_key: str | None, token: str | None, timeouts: Timeouts) -> dict[str, Any]:
    """What the sync and the async socket are opened with. Audio does not compress, and compressing costs time."""
    return {
        "subprotocols": [Subprotocol(SUBPROTOCOL), *([Subprotocol(TOKEN_SUBPROTOCOL + token)] if token else [])],
        "compression": None,
        "additional_headers": {"Authorization": f"Bearer {api_key}"} if api_key else None,
        "open_timeout": timeouts.open_s,
        "close_timeout": timeouts.close_s,
        "max_size": FRAME_BYTES,
    }


def bound_sending(sock: socket, seconds: float) -> None:
    """Let no send of a blocking socket wait for longer than this for a peer that takes nothing; reading may."""
    whole, part = divmod(round(1e6 * seconds), 1_000_000)
    wait = whole * 1000 + part // 1000 if sys.platform == "win32" else struct.pack("@ll", whole, part)
    with suppress(OSError):  # closed already, with a refusal that is yet to be read
        sock.setsockopt(SOL_SOCKET, SO_SNDTIMEO, wait)


def unreachable(url: str, error: Exception) -> UnreachableError:
    """What to tell when nothing could be opened."""
    return UnreachableError(f"{url}: {str(error) or type(error).__name__}; `ostinato serve` starts a server")


def lost(error: ConnectionClosed) -> LostError:
    """What to tell when the socket closed before the stream was whole."""
    close = error.rcvd
    if close is None:
        return LostError("the connection broke")
    return LostError(f"closed by the server with {close.code} {close.reason}".rstrip(), close.code)


def silent(seconds: float) -> SilentError:
    """What to tell when nothing was heard for so long."""
    return SilentError(f"nothing was heard for {seconds:g} s")
