"""The Python client: a live stream, iterated block by block.

with connect("ws://127.0.0.1:8000", SessionStart(model="default", duration_s=3)) as stream:
    stream.note_on(60)
    for block in stream:
        play(block.samples)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from types import TracebackType
from typing import Any, Final

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as open_socket
from websockets.typing import Subprotocol

from ostinato.clients.address import stream_address
from ostinato.clients.conversation import Block, Conversation
from ostinato.clients.errors import LostError, SilentError, UnreachableError
from ostinato.clients.report import Report
from ostinato.server.protocol import (
    SUBPROTOCOL,
    TOKEN_SUBPROTOCOL,
    AudioDone,
    Event,
    ServerMessage,
    SessionCreated,
    SessionStart,
)

DEFAULT_START: Final = SessionStart(model="default")
FRAME_BYTES: Final = 1 << 20  # the largest frame taken


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long to wait, seconds."""

    open_s: float = 10.0  # for the socket
    silence_s: float = 15.0  # for the next frame; a server says something every second
    close_s: float = 5.0


DEFAULT_TIMEOUTS: Final = Timeouts()


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


def unreachable(url: str, error: Exception) -> UnreachableError:
    """What to tell when no socket could be opened."""
    return UnreachableError(f"{url}: {str(error) or type(error).__name__}; `ostinato serve` starts a server")


def lost(error: ConnectionClosed) -> LostError:
    """What to tell when the socket closed before the stream was whole."""
    close = error.rcvd
    why = f"closed by the server with {close.code} {close.reason}".rstrip() if close else "the connection broke"
    return LostError(why)


OPENING_ERRORS: Final = (OSError, TimeoutError, InvalidHandshake, InvalidURI, ConnectionClosed)


class Stream:
    """A session that was admitted. Iterate it for audio; say what to play at any time, from any thread."""

    def __init__(self, socket: ClientConnection, conversation: Conversation, timeouts: Timeouts) -> None:
        self._socket, self._conversation, self._timeouts = socket, conversation, timeouts
        self._sending = Lock()  # keeps what several threads say in order

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

    def note_on(self, note: float, velocity: float = 0.8, voice_id: str | None = None) -> str:
        """Play a MIDI note (0..127, fractions allowed) now, velocity 0..1; return its event_id."""
        return self._said(self._conversation.note_on(note, velocity, voice_id))

    def note_off(self, note: float | None = None, voice_id: str | None = None) -> str:
        """Let a note go, by its number or its voice_id."""
        return self._said(self._conversation.note_off(note, voice_id))

    def control(self, params: Mapping[str, float | str], voice_id: str | None = None, ramp_ms: float = 0.0) -> str:
        """Steer what the model lists, for one voice or all."""
        return self._said(self._conversation.control(params, voice_id, ramp_ms))

    def perform(self, events: Iterable[Event]) -> None:
        """Play events of known samples, in order of time; those to come are sent while the stream is iterated."""
        self._conversation.perform(events)
        self._flush()

    def end(self) -> None:
        """Let everything go; the tail still comes."""
        self._conversation.end()
        self._flush()

    def __iter__(self) -> Iterator[Block]:
        """Blocks as they arrive, until the stream is whole.

        Raises:
            StreamError: where it does not become so.
        """
        while self._conversation.done is None:
            block = self._step()
            if block is not None:
                yield block

    def close(self) -> None:
        """Hang up; the server stops at once."""
        self._socket.close()

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _said(self, event_id: str) -> str:
        self._flush()
        return event_id

    def _step(self) -> Block | None:
        """Send what is due and take one frame."""
        try:
            self._flush()
            return self._conversation.take(self._socket.recv(self._timeouts.silence_s))
        except TimeoutError:
            raise SilentError(f"nothing was heard for {self._timeouts.silence_s:g} s") from None
        except ConnectionClosed as error:
            raise lost(error) from error

    def _flush(self) -> None:
        with (
            self._sending,
            suppress(ConnectionClosed),
        ):  # what the server said last may still have to be read; then it is told
            for text in self._conversation.outgoing():
                self._socket.send(text)


def connect(
    url: str,
    start: SessionStart = DEFAULT_START,
    *,
    api_key: str | None = None,
    token: str | None = None,
    heard: Callable[[ServerMessage], None] = lambda _: None,
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
) -> Stream:
    """Open a session on a server and wait until it is admitted.

    Args:
        url: where the server is.
        start: the session that is asked for.
        api_key: for a server that wants one.
        token: what `POST /v1/tokens` gave, instead of a key.
        heard: called with every message of the server.
        timeouts: how long to wait.

    Raises:
        ValueError: where the address is none.
        UnreachableError: where nothing answers there.
        RefusedError: where the server refuses the session.
        StreamError: where the server falls silent or speaks another protocol.
    """
    conversation = Conversation(start, heard)
    address = stream_address(url)
    try:
        socket = open_socket(address, **socket_options(api_key, token, timeouts)).__enter__()  # left by Stream.close
    except OPENING_ERRORS as error:
        raise unreachable(address, error) from error
    stream = Stream(socket, conversation, timeouts)
    try:
        while conversation.created is None:
            stream._step()
    except BaseException:
        stream.close()
        raise
    return stream
