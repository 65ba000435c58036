"""Many listeners at once, and what they had of it: the load that a server is measured under.

They begin one after another and end in the same order, so that all play together for the seconds asked for. One
process and one thread; the report tells how late its own event loop was, lest a client too busy to listen be taken
for a server too busy to play.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from random import Random
from typing import Final

from ostinato.clients.address import stream_address
from ostinato.clients.conversation import in_hand_s
from ostinato.clients.errors import LostError, SilentError
from ostinato.clients.load_plan import LoadPlan
from ostinato.clients.load_report import LoadReport, report_of
from ostinato.clients.load_stream import LoadStream, Measures, QueuedError
from ostinato.clients.loop_lag import LoopLag
from ostinato.clients.websocket import WebSocket, open_websocket

APART_S: Final = 0.05  # between the beginnings of two streams, on average
TAIL_S: Final = 10.0  # that a stream may take to end
LOOK_S: Final = 1.0  # between two looks at the streams


class Load:
    """One run: `play` it; `report` tells, at any time, what was measured so far."""

    def __init__(self, plan: LoadPlan) -> None:
        self._plan = plan
        self._measures = Measures()
        self._lag = LoopLag(1000.0 * in_hand_s(plan.lead_ms))  # as long as a playhead that was just fed lasts
        self._streams: list[LoadStream] = []
        self._open: dict[LoadStream, WebSocket] = {}

    async def play(self, tell: Callable[[LoadReport], None] = lambda _: None) -> None:
        """Let all streams play and end; cancelled, they hang up. `tell` gets the report once a second."""
        watching = [asyncio.create_task(w) for w in (self._lag.watch(), self._watch(tell))]
        try:
            async with asyncio.TaskGroup() as listening:
                for number in range(self._plan.streams):
                    listening.create_task(self._listen(number))
        finally:
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)

    def report(self) -> LoadReport:
        """What was measured so far."""
        return report_of(self._plan, self._streams, self._measures, self._lag)

    async def _listen(self, number: int) -> None:
        """One stream, from its beginning to its end."""
        plan, random = self._plan, Random(number)
        await asyncio.sleep((number + random.random()) * APART_S)
        stream = LoadStream(
            plan.session(number),
            control_every_s=plan.control_every_s,
            wait=plan.wait,
            measures=self._measures,
            random=random,
        )
        self._streams.append(stream)
        socket = await open_websocket(stream_address(plan.url), stream, api_key=plan.api_key, timeouts=plan.timeouts)
        if socket is None:
            return
        self._open[stream] = socket
        try:
            await self._attend(stream, socket)
        finally:
            del self._open[stream]
            socket.hang_up()
        await socket.closed.wait()

    async def _attend(self, stream: LoadStream, socket: WebSocket) -> None:
        """Let a stream play for its time, and then end it."""
        if await _is_over(stream, self._plan.streams * APART_S + self._plan.seconds):
            return
        if not stream.joined:
            socket.hang_up(QueuedError("no place became free until the end"))
            return
        stream.end()
        if not await _is_over(stream, TAIL_S):
            socket.hang_up(LostError(f"it did not end within {TAIL_S:g} s of session.end"))

    async def _watch(self, tell: Callable[[LoadReport], None]) -> None:
        """Tell how they do, and give up those that have fallen silent."""
        silence_s = self._plan.timeouts.silence_s
        while True:
            await asyncio.sleep(LOOK_S)
            now = time.monotonic()
            for stream, socket in list(self._open.items()):
                if not stream.queued and now - stream.last_heard > silence_s:
                    socket.hang_up(SilentError(f"nothing was heard for {silence_s:g} s"))
            tell(self.report())


async def _is_over(stream: LoadStream, seconds: float) -> bool:
    """Wait for a stream's end, so long at most: whether it came."""
    try:
        async with asyncio.timeout(seconds):
            await stream.over.wait()
    except TimeoutError:
        return False
    return True
