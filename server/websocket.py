"""uvicorn's WebSocket, with a way to close on a client that does not read, and to know what became of a close."""

from __future__ import annotations

import asyncio
from typing import Any, Final, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.http11 import Request

SHUT_OUT: Final = "ostinato.shut_out"  # the ASGI extensions' keys
GONE: Final = "ostinato.gone"
GRACE_S: Final = 10.0


class StreamProtocol(WebSocketsSansIOProtocol):
    """Adds two ASGI extensions: `shut_out(message, code, reason)`, and `gone`.

    `gone` is a future: whether the peer answered our close frame, once the connection is no more.

    An ordinary close waits until the socket takes it, which on such a client is never. This one goes behind what
    the socket still holds, and the connection is dropped for good if it isn't read within the grace.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 (uvicorn's)
        super().__init__(*arguments, **options)
        self.conn.debug = False  # it would log headers and frames, and so keys and tokens
        self._answered = False
        self._gone: asyncio.Future[bool] = self.loop.create_future()

    def handle_close(self, event: Frame) -> None:
        """Note that the peer has everything that was sent before our close frame."""
        self._answered = self._answered or self.close_sent
        super().handle_close(event)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits for the end."""
        super().connection_lost(exc)
        if not self._gone.done():
            self._gone.set_result(self._answered)

    def handle_connect(self, event: Request) -> None:
        """Offer the extensions to the application, whose task runs after this."""
        super().handle_connect(event)
        if self.handshake_initiated and not self.close_sent:
            extensions = cast(dict[str, Any], self.scope["extensions"])
            extensions[SHUT_OUT] = self.shut_out
            extensions[GONE] = self._gone

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
