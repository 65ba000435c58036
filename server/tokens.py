"""Short-lived tokens, which let a browser open sockets without ever holding a key.

A token states its owner and when it expires, and is signed with a secret of this process: nothing is kept of it, and
none outlives the server. It is good for sockets alone, any number of them until it expires.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import struct
import time
from collections.abc import Callable
from typing import Final

from ostinato.server.protocol import CloseCode, ProtocolError

EXPIRY: Final = struct.Struct(">Q")  # ms of the monotonic clock


class Tokens:
    """Issues tokens, and knows its own."""

    def __init__(self, lasts_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.lasts_s: Final = lasts_s
        self._clock, self._secret = clock, secrets.token_bytes(32)

    def issue(self, owner: str) -> str:
        """A token in an owner's name, of characters that a subprotocol may have."""
        expiry = EXPIRY.pack(round((self._clock() + self.lasts_s) * 1000))
        stated = _text(expiry + owner.encode())
        return f"{stated}.{self._sign(stated)}"

    def owner_of(self, token: str) -> str:
        """In whose name a token was issued. Raises ProtocolError where it has expired, or is none of this server's."""
        stated, _, signature = token.partition(".")
        if not hmac.compare_digest(signature.encode(errors="replace"), self._sign(stated).encode()):
            raise _refused("token_invalid", "this server issued no such token, or was started again since")
        content = base64.urlsafe_b64decode(stated + "=" * (-len(stated) % 4))
        (expiry_ms,) = EXPIRY.unpack_from(content)
        late_s = self._clock() - expiry_ms / 1000
        if late_s >= 0:
            raise _refused("token_expired", f"the token expired {late_s:.1f} s ago; one lasts {self.lasts_s:g} s")
        return content[EXPIRY.size :].decode()

    def _sign(self, stated: str) -> str:
        """Over the text as it is sent, so that it can't be written in another way."""
        return _text(hmac.digest(self._secret, stated.encode(errors="replace"), hashlib.sha256))


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _refused(code: str, message: str) -> ProtocolError:
    return ProtocolError(
        code,
        f"Sec-WebSocket-Protocol: {message}",
        param="sec-websocket-protocol",
        kind="not_authorised",
        close=CloseCode.NOT_AUTHORISED,
    )
