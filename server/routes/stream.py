"""`WS /v1/audio/stream`: one socket, one session."""

from __future__ import annotations

import asyncio
import time
import uuid
from contextlib import ExitStack

from fastapi import APIRouter
from starlette.websockets import WebSocket, WebSocketDisconnect

from ostinato.server.answers import accept
from ostinato.server.mailbox import Audio, Close, Delivered, Mailbox, Opening, Outgoing, carry
from ostinato.server.protocol import (
    Allowance,
    ClientMessage,
    CloseCode,
    ProtocolError,
    SessionStart,
    parse_client,
)
from ostinato.server.service import Service, service_of
from ostinato.server.websocket import GONE, GRACE_S, SHUT_OUT

FULL_PAUSE_S = 0.005  # before a full mailbox is looked at again

router = APIRouter()


@router.websocket("/v1/audio/stream")
async def stream(socket: WebSocket) -> None:
    """Serve one session until either side is done."""
    await accept(socket)
    service = service_of(socket)
    connection = Connection(socket, service)
    service.connections.add(connection.mailbox)
    try:
        await carry(connection.mailbox, connection.speak(), connection.listen())
    finally:
        service.connections.discard(connection.mailbox)
        connection.close()


class Connection:
    """A socket and its mailbox: two loops that carry one to the other."""

    def __init__(self, socket: WebSocket, service: Service) -> None:
        self.mailbox = Mailbox(service.engine.wake)
        self._socket, self._service = socket, service
        self._started = self._closing = False
        self._owner = ""
        self._attended = ExitStack()
        self._limits = service.settings.limits
        self._allowance = Allowance(self._limits.messages_per_s, self._limits.messages_burst, time.monotonic())

    def close(self) -> None:
        """It is over."""
        self._attended.close()

    async def listen(self) -> None:
        """Pass on what the client says, until it is gone."""
        try:
            async with asyncio.timeout(self._service.settings.start_s) as patience:
                self._owner = self._service.authorise(self._socket.headers, self._socket.scope["subprotocols"])
                while True:
                    await self._take_one()
                    if self._started:
                        patience.reschedule(None)
        except WebSocketDisconnect as gone:
            if not self._closing:
                if gone.code == CloseCode.DONE:
                    self.mailbox.leave()
                return
        except TimeoutError:
            message = f"no session.start within {self._service.settings.start_s:g} s"
            self._turn_away(ProtocolError("idle", message, close=CloseCode.IDLE))
        except ProtocolError as error:
            self._turn_away(error)
        await asyncio.Event().wait()  # until `speak` has closed the socket

    def _turn_away(self, error: ProtocolError) -> None:
        """End it with an error; where no session was asked for yet, the engine never hears of it."""
        if not self._started:
            self._service.turned_away[error.detail.code] += 1
        self.mailbox.refuse(error)

    async def speak(self) -> None:
        """Send what the mailbox holds, until it holds a close."""
        try:
            more = True
            while more:
                item = await self.mailbox.receive()
                async with asyncio.timeout(self._service.settings.stall_s):
                    more = await self._send(item)
        except TimeoutError:
            self._shut_out()
        except WebSocketDisconnect:
            return

    async def _take_one(self) -> None:
        """One frame of the client. Raises ProtocolError where it ends the session."""
        while self.mailbox.full:
            await asyncio.sleep(FULL_PAUSE_S)
        frame = await self._socket.receive()
        if frame["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(frame.get("code", CloseCode.GOING_AWAY))
        now = time.monotonic()
        await asyncio.sleep(0)  # many may have come at once, and others have their turn too
        self._count(now)
        try:
            if frame.get("text") is None:
                raise ProtocolError("binary_refused", "a client speaks in text frames")
            self._pass_on(parse_client(frame["text"], self._limits.message_bytes), now)
        except ProtocolError as error:
            if error.close is not None:
                raise
            self.mailbox.refuse(error)

    def _count(self, now: float) -> None:
        """Let a message be one of those that a session may send. Raises ProtocolError, fatal, where it is not."""
        wait_s = self._allowance.take(now)
        if wait_s:
            most = self._limits
            message = f"messages: at most {most.messages_per_s:g} a second, {most.messages_burst} at once"
            raise ProtocolError(
                "too_many_messages",
                message,
                kind="capacity",
                close=CloseCode.TOO_MANY_REQUESTS,
                retry_after_s=wait_s,
            )

    def _pass_on(self, message: ClientMessage, now: float) -> None:
        if self._started:
            self.mailbox.say(message, now)
        elif isinstance(message, SessionStart):
            if message.mode == "live" and self._service.settings.paced:
                self._attended.enter_context(self._service.departures.attended())
                self.mailbox.keep_to(self._service.departures)
            session_id = uuid.uuid4().hex
            opening = Opening(session_id, message, self.mailbox, now, self._owner, resumable=True)
            self._service.engine.open(opening)
            self._started = True
        else:
            event_id = getattr(message, "event_id", None)
            raise ProtocolError(
                "not_started", f"type: {message.type} before session.start", param="type", event_id=event_id
            )

    async def _send(self, item: Outgoing) -> bool:
        """Hand one item to the socket; whether more may follow."""
        match item:
            case Audio():
                taken_at = time.monotonic()
                await self._socket.send_bytes(item.payload)
                now = time.monotonic()
                self.mailbox.say(Delivered(item.samples, item.ready_at, taken_at, now), now)
            case Close():
                self._closing = True  # uvicorn tells at once of a disconnect, before there is one
                await self._socket.close(item.code, item.reason)
                if await self._answered():
                    self.mailbox.leave()
                return False
            case _:
                await self._socket.send_text(item.to_json())
        return True

    async def _answered(self) -> bool:
        """Whether the client answered the close, so that it has everything sent before."""
        gone: asyncio.Future[bool] | None = self._socket.scope.get("extensions", {}).get(GONE)
        if gone is None:
            return False
        await asyncio.wait([gone], timeout=GRACE_S)
        return gone.done() and gone.result()

    def _shut_out(self) -> None:
        """The client took nothing for too long."""
        message = f"nothing was read for {self._service.settings.stall_s:g} s"
        error = ProtocolError("slow_consumer", message, kind="capacity", close=CloseCode.SLOW_CONSUMER)
        extension = self._socket.scope.get("extensions", {}).get(SHUT_OUT)
        if extension is not None:
            extension(error.as_message().to_json(), int(CloseCode.SLOW_CONSUMER), error.detail.code)
