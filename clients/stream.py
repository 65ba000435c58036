"""The Python client: a live stream, iterated block by block, that comes back where its connection is lost.

with connect("ws://127.0.0.1:8000", SessionStart(model="default", duration_s=3)) as stream:
    stream.note_on(60)
    for block in stream:
        play(block.samples)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from threading import Event as Flag
from threading import Lock
from types import TracebackType
from typing import Final

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as open_socket

from ostinato.clients.address import stream_address
from ostinato.clients.connection import (
    DEFAULT_TIMEOUTS,
    LOOKS,
    OPENING_ERRORS,
    STALLED,
    Timeouts,
    bound_sending,
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
from ostinato.server.protocol import (
    AudioDone,
    Event,
    ServerMessage,
    SessionCreated,
    SessionStart,
    StreamPause,
    StreamResume,
)

__all__ = ["DEFAULT_START", "DEFAULT_TIMEOUTS", "Stream", "Timeouts", "connect"]

DEFAULT_START: Final = SessionStart(model="default")
Open = Callable[[], ClientConnection]
"""Opens a socket to the server. Raises UnreachableError."""


class Stream:
    """A session that was admitted. Iterate it for audio; say what to play at any time, from any thread."""

    def __init__(self, open_: Open, conversation: Conversation, timeouts: Timeouts, on_loss: OnLoss) -> None:
        self._open, self._conversation, self._timeouts = open_, conversation, timeouts
        self._recovery = Recovery(conversation, timeouts.reconnect_s, on_loss)
        self._sending = Lock()  # keeps what several threads say in order
        self._closed = Flag()
        self._unheard = 0  # times in a row that nothing came
        self._socket = open_()

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

    def pause(self) -> None:
        """Stop the session's clock."""
        self._conversation.say(StreamPause())
        self._flush()

    def resume(self) -> None:
        """Let the session's clock run on."""
        self._conversation.say(StreamResume())
        self._flush()

    def end(self) -> None:
        """Let everything go; the tail still comes."""
        self._conversation.end()
        self._flush()

    def heard_through(self, card: Hearing) -> None:
        """Report to the server what a sound card plays, instead of a simulated one."""
        self._conversation.heard_through(card)

    def __iter__(self) -> Iterator[Block]:
        """Blocks as they arrive, until the stream is whole.

        A lost connection is opened again, and the session carried on.

        Raises:
            StreamError: where it does not become so.
        """
        while self._conversation.done is None:
            block = self._step()
            if block is not None:
                yield block

    def close(self) -> None:
        """Hang up; the server stops at once."""
        self._closed.set()
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
        """Send what is due and take one frame, or find a way back where the connection is lost."""
        try:
            return self._hear()
        except StreamError as error:
            if self._closed.is_set():
                raise
            self._mend(error)
            return None

    def _hear(self) -> Block | None:
        """One frame. Raises StreamError."""
        self._flush()
        try:
            frame = self._socket.recv(self._timeouts.silence_s / LOOKS)
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

    def _mend(self, why: StreamError) -> None:
        """Open another connection, and ask there for what was lost. Raises StreamError where there is no way back."""
        while True:
            wait_s = self._recovery.wait_s(why)
            self._socket.close_socket()  # half open, nobody would answer a close
            if self._closed.wait(wait_s):
                raise LostError("hung up") from why
            try:
                socket = self._open()
            except StreamError as error:
                why = error
                continue
            with self._sending:  # what is said from now on goes the new way
                self._unheard, self._socket = 0, socket
                self._conversation.reconnect()
            if self._closed.is_set():  # while it was opened
                socket.close()
                raise LostError("hung up") from why
            return

    def _flush(self) -> None:
        with self._sending:
            try:
                for text in self._conversation.outgoing():
                    self._socket.send(text)
            except ConnectionClosed as error:
                if isinstance(error.__cause__, STALLED):
                    raise silent(self._timeouts.silence_s) from error
                # what the server said last may still have to be read; reading tells of it


def connect(
    url: str,
    start: SessionStart = DEFAULT_START,
    *,
    api_key: str | None = None,
    token: str | None = None,
    heard: Callable[[ServerMessage], None] = lambda _: None,
    on_loss: OnLoss = lambda _: None,
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
) -> Stream:
    """Open a session on a server and wait until it is admitted.

    Args:
        url: where the server is.
        start: the session that is asked for.
        api_key: for a server that wants one.
        token: what `POST /v1/tokens` gave, instead of a key. After it has expired there is no way back.
        heard: called with every message of the server: a place in line (`QueueUpdate`), `ServerDraining`, and so on.
        on_loss: called with the reason when a connection is lost, before a way back is looked for.
        timeouts: how long to wait.

    Raises:
        ValueError: where the address is none.
        UnreachableError: where nothing answers there.
        RefusedError: where the server refuses the session.
        StreamError: where the server falls silent or speaks another protocol.
    """
    address, options = stream_address(url), socket_options(api_key, token, timeouts)

    def open_() -> ClientConnection:
        try:
            socket: ClientConnection = open_socket(address, **options).__enter__()  # left by Stream.close
        except OPENING_ERRORS as error:
            raise unreachable(address, error) from error
        bound_sending(socket.socket, timeouts.silence_s)
        return socket

    stream = Stream(open_, Conversation(start, heard), timeouts, on_loss)
    try:
        while not stream.admitted:
            stream._step()
    except BaseException:
        stream.close()
        raise
    return stream
