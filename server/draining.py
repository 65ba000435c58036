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
FLUSH_S: Final = 2.0  # that connections have to send what their sessions left, once nothing of it is held back


class DrainingServer(uvicorn.Server):
    """uvicorn, but for SIGTERM, which lets sessions finish. A second signal, or any other, stops it at once."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service, self._asked = service, False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal, which may come in the middle of anything: no more is done here than to take note."""
        if sig != signal.SIGTERM or self._asked or not self._service.engine.ready.is_set():
            super().handle_exit(sig, frame)
        self._asked = True

    async def stop_once_drained(self) -> None:
        """Drain where that is asked for; stop when nobody is left, and what was said to them is on its way."""
        engine, drain_s = self._service.engine, self._service.settings.drain_s
        while not self._asked:
            await asyncio.sleep(LOOK_AGAIN_S)
        deadline = time.monotonic() + drain_s
        engine.drain(drain_s)
        while not engine.drained.is_set() or (self._service.connections and time.monotonic() < deadline):
            await asyncio.sleep(LOOK_AGAIN_S)
        for mailbox in self._service.connections:
            mailbox.hasten()
        until = time.monotonic() + FLUSH_S
        while self._service.connections and time.monotonic() < until:
            await asyncio.sleep(LOOK_AGAIN_S)
        self.should_exit = True
