"""uvicorn's WebSocket, with a way to close on a client that does not read."""

from __future__ import annotations

from typing import Any, Final, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

SHUT_OUT: Final = "ostinato.shut_out"  # the ASGI extension's key
GRACE_S: Final = 10.0


class StreamProtocol(WebSocketsSansIOProtocol):
    """Adds an ASGI extension: `shut_out(message, code, reason)`.

    An ordinary close waits until the socket takes it, which on such a client is never. This one goes behind what
    the socket still holds, and the connection is dropped for good if it isn't read within the grace.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 (uvicorn's)
        super().__init__(*arguments, **options)
        self.conn.debug = False  # it would log headers and frames, and so keys and tokens

    def handle_connect(self, event: Request) -> None:
        """Offer the extension to the application, whose task runs after this."""
        super().handle_connect(event)
        if self.handshake_initiated and not self.close_sent:
            extensions = cast(dict[str, Any], self.scope["extensions"])
            extensions[SHUT_OUT] = self.shut_out

    def shut_out(self, message: str, code: int, reason: str) -> None:
        """Send a last text frame and a close frame, whether or not the client reads."""
        self.stop_keepalive()
        if self.close_sent or self.transport.is_closing():
            return
        self.conn.send_text(message.encode())
        self.conn.send_close(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.close_timer = self.loop.call_later(GRACE_S, self.transport.abort)
