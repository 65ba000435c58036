"""What passes between a listener's connection and the engine: plain messages and bytes, in bounded queues.

The connection lives on the event loop, the engine on its own thread. Each appends to one queue and takes from the
other, so neither waits for the other; who finds a queue full stops feeding it.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeAlias

from ostinato.server.departures import Departures
from ostinato.server.protocol import ClientMessage, CloseCode, Event, ProtocolError, ServerMessage, SessionStart

INBOX: Final = 1024  # messages that wait for the engine before reading stops
OUTBOX: Final = 512  # items that wait for the socket before reading stops


@dataclass(frozen=True, slots=True)
class Audio:
    """A block as it is sent."""

    payload: bytes
    samples: int
    ready_at: float  # when the engine was done with it and, paced, its time had come


@dataclass(frozen=True, slots=True)
class Close:
    """Nothing follows."""

    code: CloseCode
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Delivered:
    """A block was handed to the socket."""

    samples: int
    ready_at: float
    taken_at: float  # when the connection began to send it
    sent_at: float


Outgoing: TypeAlias = ServerMessage | Audio | Close
Incoming: TypeAlias = ClientMessage | Delivered


class Mailbox:
    """The two queues of one connection. Made on the event loop that `receive` is awaited on."""

    def __init__(self, wake_engine: Callable[[], None]) -> None:
        self.hung_up = False  # nobody listens any more
        self.eager = True  # the engine waits for what was delivered; else it looks in by itself
        self.left = False  # and nobody will come back: the listener took its leave
        self._inbox: deque[tuple[float, Incoming]] = deque()  # with the time of receipt
        self._outbox: deque[Outgoing] = deque()
        self._leaving: deque[Outgoing] = deque()  # paced: what may be sent
        self._departures: Departures | None = None
        self._wake_engine = wake_engine
        self._loop, self._thread = asyncio.get_running_loop(), threading.get_ident()
        self._arrived = asyncio.Event()
        self._unannounced = False

    # On the event loop

    @property
    def full(self) -> bool:
        """Whether the connection should read no more for now."""
        return len(self._inbox) >= INBOX or len(self._outbox) + len(self._leaving) >= OUTBOX

    def keep_to(self, departures: Departures) -> None:
        """Let things leave at points of a grid alone, and audio no sooner than its time."""
        self._departures = departures
        departures.expect(self)

    def depart(self, now: float) -> bool:
        """Let out what may be sent by now; whether something is left."""
        with suppress(IndexError):  # cut short just now
            while self._outbox and _due(self._outbox[0], now):
                self._leaving.append(self._outbox.popleft())
        if self._leaving:
            self._arrived.set()
        return bool(self._outbox)

    def say(self, message: Incoming, now: float) -> None:
        """Pass a message to the engine."""
        self._inbox.append((now, message))
        if self.eager or not isinstance(message, Delivered):
            self._wake_engine()

    def hang_up(self) -> None:
        """Tell the engine that nobody listens."""
        self.hung_up = True
        self._wake_engine()

    def leave(self) -> None:
        """Tell the engine that nobody listens, and that there is nothing to come back for."""
        self.left = True
        self.hang_up()

    async def receive(self) -> Outgoing:
        """The next item for the listener."""
        while True:
            ready = self._leaving if self.paced else self._outbox
            with suppress(IndexError):  # empty, or cut short just now
                return ready.popleft()
            self._arrived.clear()
            if not ready:
                await self._arrived.wait()

    # On the engine's thread, or for what the connection itself has to tell, on the event loop

    def put(self, *items: Outgoing) -> None:
        """Pass items on to the listener; from the engine's thread, `announce` must follow."""
        self._outbox.extend(items)
        if self._departures is not None:
            self._departures.expect(self)
        elif threading.get_ident() == self._thread:
            self._arrived.set()
        else:
            self._unannounced = True

    def cut_short(self, last: Close) -> None:
        """Let the listener have nothing but this; as `put`."""
        self._outbox.clear()
        self._leaving.clear()
        self.put(last)

    def refuse(self, error: ProtocolError) -> None:
        """Tell the listener of an error, and that nothing follows where it is fatal."""
        self.put(error.as_message())
        if error.close is not None:
            self.put(Close(error.close, error.detail.code))

    @property
    def paced(self) -> bool:
        """Whether things leave at points of a grid alone."""
        return self._departures is not None

    @property
    def has_mail(self) -> bool:
        """Whether the listener said something since the last `take`."""
        return bool(self._inbox)

    def take(self) -> list[tuple[float, Incoming]]:
        """What the listener said since the last call."""
        return [self._inbox.popleft() for _ in range(len(self._inbox))]


def announce(mailboxes: Iterable[Mailbox]) -> None:
    """Wake the connections whose mailboxes have something new, with one call into their event loop.

    One call for all, once a block is done: the event loop then works while the next block is drawn, instead of
    taking the interpreter from the engine in the middle of a delivery.
    """
    fresh = [m for m in mailboxes if m._unannounced]
    for mailbox in fresh:
        mailbox._unannounced = False
    for loop in {m._loop for m in fresh}:
        with suppress(RuntimeError):  # the loop was closed: nobody is left to be woken
            loop.call_soon_threadsafe(_wake, [m._arrived for m in fresh if m._loop is loop])


def _due(item: Outgoing, now: float) -> bool:
    return not isinstance(item, Audio) or item.ready_at <= now


def _wake(arrivals: Iterable[asyncio.Event]) -> None:
    for arrived in arrivals:
        arrived.set()


@dataclass(frozen=True, slots=True)
class Opening:
    """A listener asks for a session."""

    session_id: str
    start: SessionStart
    mailbox: Mailbox
    received_at: float
    owner: str = ""  # of the key that opened it; nobody where there are no keys
    resumable: bool = False  # its listener may come back after a lost connection
    score: tuple[Event, ...] = ()  # events known from the beginning, in order, each with its sample
    samples: int | None = None  # the exact length, where it is known from the beginning
    batch: bool = False  # nobody waits for it: it takes slots that no listener wants, and gives them back


async def carry(mailbox: Mailbox, *loops: Coroutine[None, None, None]) -> None:
    """Run a connection's loops until one of them is done; then hang up, and end the others."""
    tasks = [asyncio.create_task(loop) for loop in loops]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        mailbox.hang_up()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
