"""The Python client for asyncio: the same as `stream.py`, awaited.

async with await connect("ws://127.0.0.1:8000", SessionStart(model="default", duration_s=3)) as stream:
    await stream.note_on(60)
    async for block in stream:
        play(block.samples)
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import suppress
from types import TracebackType

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import ConnectionClosed

from ostinato.clients.address import stream_address
from ostinato.clients.conversation import Block, Conversation
from ostinato.clients.errors import SilentError
from ostinato.clients.report import Report
from ostinato.clients.stream import (
    DEFAULT_START,
    DEFAULT_TIMEOUTS,
    OPENING_ERRORS,
    Timeouts,
    lost,
    socket_options,
    unreachable,
)
from ostinato.server.protocol import AudioDone, Event, ServerMessage, SessionCreated, SessionStart


class AsyncStream:
    """A session that was admitted. Iterate it for audio; say what to play from other tasks of the same loop."""

    def __init__(self, socket: ClientConnection, conversation: Conversation, timeouts: Timeouts) -> None:
        self._socket, self._conversation, self._timeouts = socket, conversation, timeouts

    @property
    def created(self) -> SessionCreated:
        """What the server granted: format, seed, lead, limits."""
        created = self._conversation.created
        assert created is not None, "a stream is made once its session is there"
        return created

    @property
    def done(self) -> AudioDone | None:
        """Length and hash of the whole stream, once it is whole."""
        return self._conversation.done

    @property
    def report(self) -> Report:
        """What was measured so far."""
        return self._conversation.report

    async def note_on(self, note: float, velocity: float = 0.8, voice_id: str | None = None) -> str:
        """Play a MIDI note (0..127, fractions allowed) now, velocity 0..1; return its event_id."""
        return await self._said(self._conversation.note_on(note, velocity, voice_id))

    async def note_off(self, note: float | None = None, voice_id: str | None = None) -> str:
        """Let a note go, by its number or its voice_id."""
        return await self._said(self._conversation.note_off(note, voice_id))

    async def control(
        self, params: Mapping[str, float | str], voice_id: str | None = None, ramp_ms: float = 0.0
    ) -> str:
        """Steer what the model lists, for one voice or all."""
        return await self._said(self._conversation.control(params, voice_id, ramp_ms))

    async def perform(self, events: Iterable[Event]) -> None:
        """Play events of known samples, in order of time; those to come are sent while the stream is iterated."""
        self._conversation.perform(events)
        await self._flush()

    async def end(self) -> None:
        """Let everything go; the tail still comes."""
        self._conversation.end()
        await self._flush()

    async def __aiter__(self) -> AsyncIterator[Block]:
        """Blocks as they arrive, until the stream is whole. Raises StreamError where it does not become so."""
        while self._conversation.done is None:
            block = await self._step()
            if block is not None:
                yield block

    async def close(self) -> None:
        """Hang up; the server stops at once."""
        await self._socket.close()

    async def __aenter__(self) -> AsyncStream:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _said(self, event_id: str) -> str:
        await self._flush()
        return event_id

    async def _step(self) -> Block | None:
        """Send what is due and take one frame."""
        try:
            async with asyncio.timeout(self._timeouts.silence_s):
                await self._flush()
                return self._conversation.take(await self._socket.recv())
        except TimeoutError:
            raise SilentError(f"nothing was heard for {self._timeouts.silence_s:g} s") from None
        except ConnectionClosed as error:
            raise lost(error) from error

    async def _flush(self) -> None:
        # where the socket is closed, what the server said last may still have to be read; reading tells of it
        with suppress(ConnectionClosed):
            for text in self._conversation.outgoing():
                await self._socket.send(text)


async def connect(
    url: str,
    start: SessionStart = DEFAULT_START,
    *,
    api_key: str | None = None,
    token: str | None = None,
    heard: Callable[[ServerMessage], None] = lambda _: None,
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
) -> AsyncStream:
    """Open a session on a server and wait until it is admitted. Raises what `stream.connect` does."""
    conversation = Conversation(start, heard)
    address = stream_address(url)
    try:
        socket = await open_socket(address, **socket_options(api_key, token, timeouts))
    except OPENING_ERRORS as error:
        raise unreachable(address, error) from error
    stream = AsyncStream(socket, conversation, timeouts)
    try:
        while conversation.created is None:
            await stream._step()
    except BaseException:
        await stream.close()
        raise
    return stream
