"""How late an event loop is: what tells a client that was busy from a server that was slow."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from ostinato.clients.spread import Spread

EVERY_S: Final = 0.01


async def watch_loop_lag(lag_ms: Spread) -> None:
    """Measure, until cancelled, how long after its time a timer of the running loop fires. Some 1 ms is the timer's."""
    while True:
        due = time.monotonic() + EVERY_S
        await asyncio.sleep(EVERY_S)
        lag_ms.add(1000.0 * max(0.0, time.monotonic() - due))
