"""How late an event loop is: what tells a client that was busy from a server that was slow."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from ostinato.clients.spread import Spread

EVERY_S: Final = 0.01


class LoopLag:
    """How long after its time a timer of the running loop fires. Up to 1 ms of it is the timer's own.

    Args:
        stall_ms: from this lag on, the loop is taken to have stood still.
    """

    def __init__(self, stall_ms: float) -> None:
        self.ms: Final = Spread()
        self.stalls = 0
        self._stall_ms = stall_ms

    async def watch(self) -> None:
        """Measure until cancelled."""
        while True:
            due = time.monotonic() + EVERY_S
            await asyncio.sleep(EVERY_S)
            self.add(1000.0 * max(0.0, time.monotonic() - due))

    def add(self, lag_ms: float) -> None:
        """Take one more."""
        self.ms.add(lag_ms)
        self.stalls += lag_ms >= self._stall_ms
