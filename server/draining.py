"""How a server stops: sessions finish before their sockets are closed.

uvicorn alone closes live sockets as soon as it is told to stop, whatever its grace period.
"""

from __future__ import annotations

import asyncio
import signal
import time
from types import FrameType
from typing import Final

import uvicorn

from ostinato.server.service import Service

LOOK_AGAIN_S: Final = 0.05
FLUSH_S: Final = 2.0  # that connections have to send what their sessions left, once all are drained


class DrainingServer(uvicorn.Server):
    """uvicorn, but for SIGTERM, which lets sessions finish. A second signal, or any other, stops it at once."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal."""
        engine = self._service.engine
        if sig != signal.SIGTERM or engine.draining or not engine.ready.is_set():
            super().handle_exit(sig, frame)
        else:
            engine.drain(self._service.settings.drain_s)

    async def stop_once_drained(self) -> None:
        """Stop when nobody is left, and what was said to them is on its way."""
        while not self._service.engine.drained.is_set():
            await asyncio.sleep(LOOK_AGAIN_S)
        until = time.monotonic() + FLUSH_S
        while self._service.connections and time.monotonic() < until:
            await asyncio.sleep(LOOK_AGAIN_S)
        self.should_exit = True
