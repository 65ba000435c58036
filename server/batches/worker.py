"""Draws what waits: a few items at a time, each as a batch session of the engine, each into a file."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Concatenate, Final, ParamSpec

from ostinato.server.aside import aside, entered_aside
from ostinato.server.batches.config import BatchConfig
from ostinato.server.batches.keeping import Keeping
from ostinato.server.batches.plan import recalled, synthesis, told
from ostinato.server.batches.rows import Claim
from ostinato.server.batches.store import Store
from ostinato.server.engine import Engine
from ostinato.server.mailbox import Mailbox
from ostinato.server.pcm import SAMPLE_BYTES
from ostinato.server.protocol import ProtocolError
from ostinato.server.sound.streaming import fill
from ostinato.server.synthesis import SessionLostError, Synthesis, admitted, pcm

P = ParamSpec("P")
log = logging.getLogger(__name__)

LOOK_AGAIN_S: Final = 0.25  # for an engine that is ready, for room
REST_S: Final = 2.0  # after what may pass by itself, such as a full disk
PACE_S: Final = 5.0  # over which the pace is measured


@dataclass(eq=False)
class Job:
    """An item that is being drawn."""

    claim: Claim
    task: asyncio.Task[None] = field(init=False)
    seconds: float = 0.0  # of its sound, so far


class Worker:
    """Belongs to the event loop. `run` it; `wake` it where there is something new.

    Args:
        engine: draws.
        keeping: knows whose turn it is, and takes the files.
        config: how many at once, and what is to be left of the disk.
    """

    def __init__(self, engine: Engine, keeping: Keeping, config: BatchConfig) -> None:
        self._engine, self._keeping, self._config = engine, keeping, config
        self._jobs: set[Job] = set()
        self._woken = asyncio.Event()
        self._rests_until = 0.0
        self._drawn = 0.0  # seconds of sound, in all
        self._seen: tuple[float, float] | None = None  # how much, and when; None: there was nothing to draw
        self.pace: float | None = None  # seconds of sound in a second, of late

    def wake(self) -> None:
        """There is more to be drawn."""
        self._woken.set()

    def drawn_s(self, batch: str) -> float:
        """Seconds of a batch's sounds that are drawn, of those which are not done."""
        return sum(job.seconds for job in self._jobs if job.claim.batch == batch)

    async def drop(self, batch: str) -> None:
        """Draw no more of a batch; once this returns nothing is written any more."""
        tasks = [job.task for job in self._jobs if job.claim.batch == batch]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def run(self) -> None:
        """Draw until cancelled; what is in the middle then is drawn again after the next start."""
        try:
            while True:
                self._woken.clear()
                idle = not await self._take_up() and not self._jobs
                self._measure(idle)
                with suppress(TimeoutError):
                    # with nothing to do, nobody is asked again before there is something new
                    await asyncio.wait_for(self._woken.wait(), None if idle else LOOK_AGAIN_S)
        finally:
            for job in self._jobs:
                job.task.cancel()
            await asyncio.gather(*(job.task for job in self._jobs), return_exceptions=True)

    async def _take_up(self) -> bool:
        """Begin what there is time for; whether there may be more that waits."""
        while len(self._jobs) < self._config.at_once:
            if not self._may_draw():
                return True
            try:
                claim = await self._keeping.ask(Store.claim, self._engine.cards)
            except sqlite3.Error as error:
                self._rest(f"the queue can't be read: {error}")
                return True
            if claim is None:
                return False
            self._begin(claim)
        return True

    def _may_draw(self) -> bool:
        engine = self._engine
        return (
            engine.ready.is_set()
            and engine.fault is None
            and not engine.draining
            and time.monotonic() >= self._rests_until
        )

    def _begin(self, claim: Claim) -> None:
        job = Job(claim)
        self._jobs.add(job)
        job.task = asyncio.create_task(self._do(job))

        def over(_: asyncio.Task[None]) -> None:
            self._jobs.discard(job)
            self.wake()

        job.task.add_done_callback(over)

    async def _do(self, job: Job) -> None:
        claim = job.claim
        try:
            size = await self._draw(job)
            await self._insist(Store.finish, claim, size)
        except SessionLostError as lost:
            await self._give_up(claim, lost.error)
        except ProtocolError as error:
            await self._give_up(claim, error)
        except OSError as error:
            self._rest(f"item {claim.n} of batch {claim.batch} can't be written: {error}")
            await self._insist(Store.put_back, claim)
        except Exception:
            log.exception("item %d of batch %s failed", claim.n, claim.batch)
            await self._give_up(claim, ProtocolError("internal", "something went wrong in the server", kind="internal"))

    async def _draw(self, job: Job) -> int:
        """The bytes of the file that now is there."""
        claim, results = job.claim, self._keeping.results
        planned = await asyncio.to_thread(lambda: synthesis(recalled(claim.request), self._engine.cards))
        if await asyncio.to_thread(lambda: results.free_bytes) < self._config.least_free_bytes + claim.most_bytes:
            raise OSError("the disk has no room for it")
        path = results.path(claim.batch, claim.n, planned.sound.container.suffix)
        mailbox = Mailbox(self._engine.wake)
        try:
            self._engine.open(planned.opening(mailbox, "", batch=True))
            await admitted(mailbox)
            return await self._write(job, planned, mailbox, path)
        finally:
            mailbox.hang_up()

    async def _write(self, job: Job, planned: Synthesis, mailbox: Mailbox, path: Path) -> int:
        async with entered_aside(lambda: self._keeping.results.writing(path)) as file:
            await fill(file, self._counted(job, planned, mailbox), planned.sound, planned.score.samples, planned.tags)
        return (await aside(path.stat)).st_size

    async def _counted(self, job: Job, planned: Synthesis, mailbox: Mailbox) -> AsyncIterator[bytes]:
        sound = planned.sound
        async for block in pcm(mailbox):
            seconds = len(block) / SAMPLE_BYTES[sound.encoding] / sound.source_rate
            job.seconds += seconds
            self._drawn += seconds
            yield block

    async def _give_up(self, claim: Claim, error: ProtocolError) -> None:
        """An item can't be had, unless it is the server that can't have it now."""
        engine = self._engine
        if error.detail.type == "capacity" or engine.fault is not None or engine.draining or not engine.alive:
            self._rests_until = time.monotonic() + REST_S
            await self._insist(Store.put_back, claim)
        else:
            log.warning("item %d of batch %s can't be had: %s", claim.n, claim.batch, error)
            await self._insist(Store.fail, claim, told(error).model_dump_json())

    async def _insist(self, act: Callable[Concatenate[Store, P], object], *values: P.args, **named: P.kwargs) -> None:
        """Tell the store, however long it takes to hear."""
        while True:
            try:
                await self._keeping.ask(act, *values, **named)
            except sqlite3.Error as error:
                self._rest(f"the queue can't be written: {error}")
                await asyncio.sleep(REST_S)
            else:
                return

    def _rest(self, why: str) -> None:
        log.warning("batches rest for %g s: %s", REST_S, why)
        self._rests_until = time.monotonic() + REST_S

    def _measure(self, idle: bool) -> None:
        now = time.monotonic()
        drawn, since = self._seen or (self._drawn, now)
        if self._drawn > drawn and now - since >= (LOOK_AGAIN_S if self.pace is None else PACE_S):
            self.pace = (self._drawn - drawn) / (now - since)
            drawn, since = self._drawn, now
        self._seen = None if idle else (drawn, since)
