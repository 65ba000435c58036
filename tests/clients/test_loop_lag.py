from __future__ import annotations

import asyncio
import time

from ostinato.clients.loop_lag import LoopLag


def test_a_loop_that_is_kept_from_its_timers_is_late_and_stalls() -> None:
    async def block() -> LoopLag:
        lag = LoopLag(stall_ms=80.0)
        watching = asyncio.create_task(lag.watch())
        await asyncio.sleep(0.05)
        time.sleep(0.2)
        await asyncio.sleep(0.05)
        watching.cancel()
        return lag

    lag = asyncio.run(block())
    assert lag.ms.count > 2
    assert lag.ms.greatest is not None
    assert lag.ms.greatest > 150.0
    assert lag.stalls >= 1
