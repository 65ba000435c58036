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
from ostinato.server.protocol import (
    ClientMessage,
    CloseCode,
    Error,
    Event,
    Pong,
    ProtocolError,
    ServerDraining,
    ServerMessage,
    SessionStart,
    Stats,
)

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
    """The two queues of one connection. Made on the event loop that `receive` is awaited on.

    Paced, audio that is not due is held, and what has its place in the stream behind it. What has none leaves with the
    next block that is due, or at the next point where none is held: not at once, since the engine answers between two
    blocks, and so the time of an answer would tell how long it took over one.
    """

    def __init__(self, wake_engine: Callable[[], None]) -> None:
        self.hung_up = False  # nobody listens any more
        self.eager = True  # the engine waits for what was delivered; else it looks in by itself
        self.left = False  # and nobody will come back: the listener took its leave
        self._inbox: deque[tuple[float, Incoming]] = deque()  # with the time of receipt
        self._outbox: deque[Outgoing] = deque()
        self._held: deque[Outgoing] = deque()  # paced: audio that is not due, and what follows it
        self._placeless: deque[Outgoing] = deque()  # paced: what waits for the first of these alone
        self._leaving: deque[Outgoing] = deque()  # paced: what may be sent
        self._messages_held = 0  # of what is held, all but audio
        self._hastened = False  # nothing is held any more
        self._cut: Close | None = None  # nothing else is sent any more
        self._departures: Departures | None = None
        self._wake_engine = wake_engine
        self._loop, self._thread = asyncio.get_running_loop(), threading.get_ident()
        self._arrived = asyncio.Event()
        self._unannounced = False

    # On the event loop

    @property
    def full(self) -> bool:
        """Whether the connection should read no more for now: not since audio is held, of which a lead is the bound."""
        waiting = len(self._outbox) + self._messages_held + len(self._placeless) + len(self._leaving)
        return len(self._inbox) >= INBOX or waiting >= OUTBOX

    def keep_to(self, departures: Departures) -> None:
        """Let things leave at points of a grid alone, and audio no sooner than its time."""
        self._departures = departures
        departures.expect(self)

    def depart(self, now: float) -> bool:
        """Let out what may be sent by now; whether something is left."""
        self._let_out(now)
        with suppress(IndexError):  # empty, or cut short just now
            while True:
                self._sort(self._outbox.popleft(), now)
        if self._cut is not None:  # perhaps just now, with something in hand: so this is looked at last
            for queue in (self._held, self._placeless, self._leaving):
                queue.clear()
            self._leaving.append(self._cut)
        if self._leaving:
            self._arrived.set()
        return bool(self._held)

    def _let_out(self, now: float) -> None:
        """What is held, as far as its time has come."""
        if self._held and self._due(self._held[0], now):
            self._leaving.extend(self._placeless)
            self._placeless.clear()
        while self._held and self._due(self._held[0], now):
            item = self._held.popleft()
            self._messages_held -= not isinstance(item, Audio)
            self._leaving.append(item)

    def _sort(self, item: Outgoing, now: float) -> None:
        """Take what the engine put; the first that is held is audio that is not due, and all else waits for that."""
        if not self._held and self._due(item, now):
            self._leaving.append(item)
        elif _placeless(item):
            self._placeless.append(item)
        else:
            self._messages_held += not isinstance(item, Audio)
            self._held.append(item)

    def _due(self, item: Outgoing, now: float) -> bool:
        return self._hastened or not isinstance(item, Audio) or item.ready_at <= now

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

    def hasten(self) -> None:
        """Hold nothing back any more: all there is, and is to come, leaves at the next point, in its order."""
        self._hastened = True
        if self._departures is not None:
            self._departures.expect(self)

    def cut_short(self, last: Close) -> None:
        """Let the listener have nothing but this; as `put`."""
        self._cut = last
        self._outbox.clear()
        self._leaving.clear()
        self.put(last)

    def refuse(self, error: ProtocolError) -> None:
        """Tell the listener of an error, and that nothing follows where it is fatal."""
        self.put(error.as_message())
        if error.close is not None:
            self.hasten()
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


def _placeless(item: Outgoing) -> bool:
    """Whether it tells nothing of a sample, so that it is the same whichever audio comes before it."""
    return isinstance(item, Pong | Stats | ServerDraining) or (isinstance(item, Error) and not item.fatal)


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
