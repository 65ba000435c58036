"""A WebSocket whose frames are handed on in the call that reads them: no task, queue or timer of its own.

`AsyncStream` awaits each frame, which is what a listener wants. A load client takes in thousands of frames a second
beside the server that it measures, and stamps each as it comes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol, cast

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus, InvalidURI
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import WebSocketURI, parse_uri

from ostinato.clients.connection import FRAME_BYTES, Timeouts, unreachable
from ostinato.clients.errors import LostError, StreamError
from ostinato.server.protocol import SUBPROTOCOL

NO_ROOM: Final = frozenset({429, 503})  # HTTP: not now

Send = Callable[[str], None]
"""Sends a text frame; what can't be sent any more is dropped."""


class NoRoomError(StreamError):
    """The server is there, and takes no socket now."""


class Frames(Protocol):
    """Who listens to a WebSocket."""

    def opened(self, send: Send) -> None:
        """The socket is open."""

    def take(self, frame: str | bytes) -> bool:
        """A whole frame came: whether more may follow. Else, or where it raises a StreamError, the socket is closed."""

    def gone(self, why: StreamError | None) -> None:
        """No frame will come any more; why, unless that was wished. Called once, also where no socket ever opened."""


class WebSocket(asyncio.Protocol):
    """One connection. Made by `open_websocket`."""

    def __init__(self, url: str, frames: Frames, api_key: str | None, close_s: float) -> None:
        self.closed: Final = asyncio.Event()
        self._url, self._frames, self._api_key, self._close_s = url, frames, api_key, close_s
        self._protocol = ClientProtocol(_parsed(url), subprotocols=[Subprotocol(SUBPROTOCOL)], max_size=FRAME_BYTES)
        self._transport: asyncio.Transport | None = None
        self._parts: list[bytes] = []  # of a frame that comes in fragments
        self._text = False  # whether they are text
        self._opened = False
        self._told = False  # `gone` was called

    def send(self, text: str) -> None:
        """Send a text frame, unless the socket is closing."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_text(text.encode())
            self._flush()

    def hang_up(self, why: StreamError | None = None) -> None:
        """Close the socket and take no more of it."""
        self._tell(why)
        if self._transport is None or self._transport.is_closing():
            return
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(CloseCode.NORMAL_CLOSURE)
            self._flush()
        self._transport.close()  # once what was written is gone
        asyncio.get_running_loop().call_later(self._close_s, self._transport.abort)

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        self._transport = cast(asyncio.Transport, transport)
        request = self._protocol.connect()
        if self._api_key:
            request.headers["Authorization"] = f"Bearer {self._api_key}"
        self._protocol.send_request(request)
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Hand on every frame that is whole."""
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if self._told:
                break
            if isinstance(event, Response):
                self._upgraded()
            else:
                self._take(cast(Frame, event))
        self._flush()

    def eof_received(self) -> None:
        """The server says no more."""
        self._protocol.receive_eof()
        self._flush()

    def connection_lost(self, error: Exception | None) -> None:
        """The socket is closed."""
        self.closed.set()
        if not self._opened:
            self._tell(unreachable(self._url, error or ConnectionError("the connection was closed")))
        elif self._protocol.close_code in (None, CloseCode.ABNORMAL_CLOSURE):
            self._tell(LostError("the connection broke"))
        else:
            told = f"closed by the server with {self._protocol.close_code} {self._protocol.close_reason}"
            self._tell(LostError(told.rstrip()))

    def _upgraded(self) -> None:
        fault = self._protocol.handshake_exc
        if fault is None:
            self._opened = True
            self._frames.opened(self.send)
        elif isinstance(fault, InvalidStatus) and fault.response.status_code in NO_ROOM:
            self.hang_up(NoRoomError(f"HTTP {fault.response.status_code}"))
        else:
            self.hang_up(unreachable(self._url, fault))

    def _take(self, frame: Frame) -> None:
        if frame.opcode is Opcode.TEXT or frame.opcode is Opcode.BINARY:
            self._text = frame.opcode is Opcode.TEXT
            if frame.fin:
                self._hand_on(bytes(frame.data))
            else:
                self._parts = [bytes(frame.data)]
        elif frame.opcode is Opcode.CONT:
            self._parts.append(bytes(frame.data))
            if frame.fin:
                self._hand_on(b"".join(self._parts))

    def _hand_on(self, payload: bytes) -> None:
        try:
            if not self._frames.take(payload.decode(errors="replace") if self._text else payload):
                self.hang_up()
        except StreamError as error:
            self.hang_up(error)

    def _flush(self) -> None:
        assert self._transport is not None
        for data in self._protocol.data_to_send():
            if data:
                self._transport.write(data)
            elif self._transport.can_write_eof():  # the protocol is done
                self._transport.write_eof()

    def _tell(self, why: StreamError | None) -> None:
        if not self._told:
            self._told = True
            self._frames.gone(why)


async def open_websocket(address: str, frames: Frames, *, api_key: str | None, timeouts: Timeouts) -> WebSocket | None:
    """Connect to a server's stream; None, once `frames` was told why, where nothing answers.

    Raises:
        ValueError: where the address is none.
    """
    where, loop = _parsed(address), asyncio.get_running_loop()
    socket = WebSocket(address, frames, api_key, timeouts.close_s)
    try:
        async with asyncio.timeout(timeouts.open_s):
            await loop.create_connection(lambda: socket, where.host, where.port, ssl=where.secure or None)
    except (OSError, TimeoutError) as error:
        frames.gone(unreachable(address, error))
        return None
    return socket


def _parsed(address: str) -> WebSocketURI:
    try:
        return parse_uri(address)
    except InvalidURI as error:
        raise ValueError(str(error)) from error
