"""When what is said to live listeners leaves the server: at the points of one grid, never as soon as it is there.

How long the engine takes over a block tells of what it draws, where the work depends on it, and of whom else it draws
for. So nothing of that is let out: audio waits for the time that the stream's own clock gives it (`timetable.py`), and
it and every answer leave with the next point of a grid that is the same for all.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ostinato.server.mailbox import Mailbox

GRID_S: Final = 0.0025  # between two points; what is late by any part of it shows as late by all of it
CLOCK_S: Final = 1e-6  # a timer may be early by, and a point be off by rounding


def point_after(at: float) -> float:
    """The first point of the grid that is not before a time, in seconds of the monotonic clock."""
    return math.ceil((at - CLOCK_S) / GRID_S) * GRID_S


class Departures:
    """Opens the mailboxes of live listeners at every point of the grid; on the event loop.

    It ticks as long as there is a live listener, whether or not anything waits: a timer that were set when a block is
    ready would end later or earlier by up to 1 ms, as when that was.
    """

    def __init__(self) -> None:
        self._waiting: deque[Mailbox] = deque()  # those that hold something
        self._listeners = 0
        self._timer: asyncio.TimerHandle | None = None

    @contextmanager
    def attended(self) -> Iterator[None]:
        """While a live listener is there."""
        self._listeners += 1
        if self._timer is None:
            self._set_timer(time.monotonic())
        try:
            yield
        finally:
            self._listeners -= 1

    def expect(self, mailbox: Mailbox) -> None:
        """A mailbox holds something, once or more often; from any thread, and without waking the event loop."""
        self._waiting.append(mailbox)

    def _set_timer(self, now: float) -> None:
        point = point_after(now + 2 * CLOCK_S)  # not the one that it is now
        self._timer = asyncio.get_running_loop().call_later(point - now, self._tick, point)

    def _tick(self, point: float) -> None:
        """Let out what may leave, and come back at the next point."""
        waiting = {self._waiting.popleft() for _ in range(len(self._waiting))}
        if not self._listeners:
            self._timer = None
            return
        now = max(point, time.monotonic())
        for mailbox in waiting:
            if mailbox.depart(now):
                self._waiting.append(mailbox)
        self._set_timer(time.monotonic())
