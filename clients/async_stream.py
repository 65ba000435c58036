"""The Python client for asyncio: the same as `stream.py`, awaited.

async with await connect("ws://127.0.0.1:8000", SessionStart(model="default", duration_s=3)) as stream:
    await stream.note_on(60)
    async for block in stream:
        play(block.samples)
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from types import TracebackType

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import ConnectionClosed

from ostinato.clients.address import stream_address
from ostinato.clients.connection import (
    DEFAULT_TIMEOUTS,
    LOOKS,
    OPENING_ERRORS,
    Timeouts,
    lost,
    silent,
    socket_options,
    unreachable,
)
from ostinato.clients.conversation import Conversation
from ostinato.clients.errors import LostError, StreamError
from ostinato.clients.incoming import Block
from ostinato.clients.playhead import Hearing
from ostinato.clients.recovery import OnLoss, Recovery
from ostinato.clients.report import Report
from ostinato.clients.stream import DEFAULT_START
from ostinato.server.protocol import (
    AudioDone,
    Event,
    ServerMessage,
    SessionCreated,
    SessionStart,
    StreamPause,
    StreamResume,
)

Open = Callable[[], Awaitable[ClientConnection]]
"""Opens a socket to the server. Raises UnreachableError."""


class AsyncStream:
    """A session that was admitted. Iterate it for audio; say what to play from other tasks of the same loop."""

    def __init__(
        self,
        open_: Open,
        socket: ClientConnection,
        conversation: Conversation,
        timeouts: Timeouts,
        on_loss: OnLoss,
    ) -> None:
        self._open, self._socket, self._conversation, self._timeouts = open_, socket, conversation, timeouts
        self._recovery = Recovery(conversation, timeouts.reconnect_s, on_loss)
        self._sending = asyncio.Lock()  # keeps what several tasks say in order
        self._closed = asyncio.Event()
        self._unheard = 0  # times in a row that nothing came

    @property
    def admitted(self) -> bool:
        """Whether the session is there."""
        return self._conversation.created is not None

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

    async def pause(self) -> None:
        """Stop the session's clock."""
        self._conversation.say(StreamPause())
        await self._flush()

    async def resume(self) -> None:
        """Let the session's clock run on."""
        self._conversation.say(StreamResume())
        await self._flush()

    async def end(self) -> None:
        """Let everything go; the tail still comes."""
        self._conversation.end()
        await self._flush()

    def heard_through(self, card: Hearing) -> None:
        """Report to the server what a sound card plays, instead of a simulated one."""
        self._conversation.heard_through(card)

    async def __aiter__(self) -> AsyncIterator[Block]:
        """Blocks as they arrive, until the stream is whole. Raises StreamError where it does not become so.

        A lost connection is opened again, and the session carried on.
        """
        while self._conversation.done is None:
            block = await self._step()
            if block is not None:
                yield block

    async def close(self) -> None:
        """Hang up; the server stops at once."""
        self._closed.set()
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
        """Send what is due and take one frame, or find a way back where the connection is lost."""
        try:
            return await self._hear()
        except StreamError as error:
            if self._closed.is_set():
                raise
            await self._mend(error)
            return None

    async def _hear(self) -> Block | None:
        """One frame. Raises StreamError."""
        await self._flush()
        try:
            async with asyncio.timeout(self._timeouts.silence_s / LOOKS):
                frame = await self._socket.recv()
        except TimeoutError:
            self._unheard += 1
            if self._unheard == LOOKS:
                raise silent(self._timeouts.silence_s) from None
            self._conversation.probe()
            return None
        except ConnectionClosed as error:
            raise lost(error) from error
        self._unheard = 0
        return self._conversation.take(frame)

    async def _mend(self, why: StreamError) -> None:
        """Open another connection, and ask there for what was lost. Raises StreamError where there is no way back."""
        while True:
            wait_s = self._recovery.wait_s(why)
            self._socket.transport.abort()  # half open, nobody would answer a close
            await asyncio.sleep(wait_s)
            if self._closed.is_set():
                raise LostError("hung up") from why
            try:
                socket = await self._open()
            except StreamError as error:
                why = error
                continue
            if self._closed.is_set():  # while it was opened
                await socket.close()
                raise LostError("hung up") from why
            self._unheard, self._socket = 0, socket
            self._conversation.reconnect()
            return

    async def _flush(self) -> None:
        # where the socket is closed, what the server said last may still have to be read; reading tells of it
        try:
            async with asyncio.timeout(self._timeouts.silence_s), self._sending:
                socket = self._socket
                for text in self._conversation.outgoing():
                    await socket.send(text)
        except ConnectionClosed:
            return
        except TimeoutError:
            raise silent(self._timeouts.silence_s) from None


async def connect(
    url: str,
    start: SessionStart = DEFAULT_START,
    *,
    api_key: str | None = None,
    token: str | None = None,
    heard: Callable[[ServerMessage], None] = lambda _: None,
    on_loss: OnLoss = lambda _: None,
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
) -> AsyncStream:
    """Open a session on a server and wait until it is admitted. Takes and raises what `stream.connect` does."""
    address, options = stream_address(url), socket_options(api_key, token, timeouts)

    async def open_() -> ClientConnection:
        try:
            return await open_socket(address, **options)
        except OPENING_ERRORS as error:
            raise unreachable(address, error) from error

    stream = AsyncStream(open_, await open_(), Conversation(start, heard), timeouts, on_loss)
    try:
        while not stream.admitted:
            await stream._step()
    except BaseException:
        await stream.close()
        raise
    return stream
