"""A socket that hands on frames at once: what opens it, what comes through, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from threading import Thread

import pytest
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from ostinato.clients.address import stream_address
from ostinato.clients.errors import CorruptError, LostError, StreamError, UnreachableError
from ostinato.clients.stream import Timeouts
from ostinato.clients.websocket import NoRoomError, Send, WebSocket, open_websocket
from tests.clients.test_stream import free_port, stub


class Recorded:
    """All that came of a socket; it wants no more after so many frames."""

    def __init__(self, *said: str, wanted: int = 1000, fault: StreamError | None = None) -> None:
        self.frames: list[str | bytes] = []
        self.ends: list[StreamError | None] = []
        self._said, self._wanted, self._fault = said, wanted, fault
        self.send: Send = lambda _: None

    def opened(self, send: Send) -> None:
        self.send = send
        for text in self._said:
            send(text)

    def take(self, frame: str | bytes) -> bool:
        if self._fault is not None:
            raise self._fault
        self.frames.append(frame)
        return len(self.frames) < self._wanted

    def gone(self, why: StreamError | None) -> None:
        self.ends.append(why)


def carried(url: str, frames: Recorded, act: Callable[[WebSocket], None] = lambda _: None) -> StreamError | None:
    """Why a socket ended, once it has."""

    async def carry() -> None:
        socket = await open_websocket(stream_address(url), frames, api_key=None, timeouts=Timeouts(close_s=1.0))
        if socket is not None:
            act(socket)
            await socket.closed.wait()
            socket.hang_up()  # changes nothing any more
            frames.send("too late")

    asyncio.run(carry())
    (end,) = frames.ends
    return end


def echo(connection: ServerConnection) -> None:
    for frame in connection:
        connection.send(frame)
        connection.ping()


def test_frames_come_in_order_until_no_more_are_wanted() -> None:
    frames = Recorded("a", "é" * 40_000, "c", "d", wanted=3)
    with stub(echo) as url:
        assert carried(url, frames) is None
    assert frames.frames == ["a", "é" * 40_000, "c"]


def test_the_server_reads_why_it_ended() -> None:
    codes: list[int | None] = []

    def handle(connection: ServerConnection) -> None:
        for frame in connection:
            connection.send(frame)
        codes.append(connection.protocol.close_code)

    with stub(handle) as url:
        assert carried(url, Recorded("a", wanted=1)) is None
    assert codes == [1000]


def test_a_fault_of_the_listener_ends_it_and_comes_back() -> None:
    fault = CorruptError("nonsense")
    with stub(echo) as url:
        assert carried(url, Recorded("a", fault=fault)) is fault


def test_hanging_up_before_it_is_open_is_no_fault() -> None:
    with stub(echo) as url:
        frames = Recorded("a")
        assert carried(url, frames, lambda socket: socket.hang_up()) is None
    assert frames.frames == []


def test_a_close_of_the_server_is_told_with_its_reason() -> None:
    with stub(lambda connection: connection.close(1013, "full")) as url:
        end = carried(url, Recorded())
    assert isinstance(end, LostError)
    assert str(end) == "closed by the server with 1013 full"


def test_a_broken_connection_is_told() -> None:
    def handle(connection: ServerConnection) -> None:
        connection.socket.close()

    with stub(handle) as url:
        end = carried(url, Recorded())
    assert isinstance(end, LostError)


def test_where_nobody_listens_is_told() -> None:
    end = carried(f"ws://127.0.0.1:{free_port()}", Recorded())
    assert isinstance(end, UnreachableError)


def test_what_speaks_something_else_is_unreachable(server: str) -> None:
    end = carried(f"{server}/elsewhere", Recorded())
    assert isinstance(end, UnreachableError)
    assert "403" in str(end)


@pytest.mark.parametrize("status", [HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS])
def test_a_server_that_takes_no_socket_now_is_no_unreachable_one(status: HTTPStatus) -> None:
    def refuse(connection: ServerConnection, _: Request) -> Response:
        return connection.respond(status, "later\n")

    with serve(echo, "127.0.0.1", 0, process_request=refuse) as listening:
        thread = Thread(target=listening.serve_forever)
        thread.start()
        try:
            end = carried(f"ws://127.0.0.1:{listening.socket.getsockname()[1]}", Recorded())
        finally:
            listening.shutdown()
            thread.join()
    assert isinstance(end, NoRoomError)
    assert str(status.value) in str(end)
