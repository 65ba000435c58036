"""The batch queue, as routes see it: accept, tell, hand out, cancel; and what happens by itself, drawing and expiry."""

from __future__ import annotations

import asyncio
import logging
import secrets
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from ostinato.server.admission import full
from ostinato.server.batches.body import Asked
from ostinato.server.batches.config import BatchConfig
from ostinato.server.batches.keeping import Keeping
from ostinato.server.batches.pauses import Pauses
from ostinato.server.batches.plan import Planned, Planner
from ostinato.server.batches.store import Kept, Store, StoreError
from ostinato.server.batches.telling import Course, item_status, status
from ostinato.server.batches.worker import Worker
from ostinato.server.engine import Engine
from ostinato.server.limits import SessionLimits
from ostinato.server.protocol import ITEMS, BatchItemStatus, BatchStatus, ProtocolError
from ostinato.server.sound.formats import CONTAINERS

log = logging.getLogger(__name__)

READ_AT_ONCE: Final = 4  # requests
SWEEP_S: Final = 60.0  # between two looks for batches that are over for too long
RETRY_AFTER_S: Final = 60.0


class BatchQueue:
    """Belongs to the event loop.

    Args:
        engine: draws.
        config: where it is kept, and bounds.
        limits: of a session.
        slots: of each model.
    """

    def __init__(self, engine: Engine, config: BatchConfig, limits: SessionLimits, slots: int) -> None:
        self.config: Final = config
        self._engine = engine
        self._planner = Planner(engine.cards, limits, slots)
        self._keeping = Keeping(config.folder)
        self._fault: str | None = "not begun"
        self._reading = 0
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Go on where the last server stopped. Where the data folder can't be used, all else is served."""
        self._worker = Worker(self._engine, self._keeping, self.config)
        self._accepting = asyncio.Lock()  # what is free is promised to one at a time
        try:
            again = await self._keeping.open()
        except StoreError as error:
            self._fault = str(error)
            log.warning("no batches: %s", error)
            return
        self._fault = None
        if again:
            log.info("%d items of batches are drawn again", again)
        self._tasks = [asyncio.create_task(self._worker.run()), asyncio.create_task(self._expire())]
        for task in self._tasks:
            task.add_done_callback(self._ended)

    async def stop(self) -> None:
        """Put back what is in the middle, and let go of the folder."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._fault = "stopped"
        await self._keeping.close()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """While a request is read and accepted, since its body lies in memory. Raises ProtocolError."""
        if self._reading >= READ_AT_ONCE:
            raise full(f"batches: {self._reading} are being read, the most at once")
        self._reading += 1
        try:
            yield
        finally:
            self._reading -= 1

    async def accept(self, asked: Asked, owner: str, key: str | None) -> BatchStatus:
        """Keep a batch; once this returns it will be drawn. Or that which came before with the same key.

        Raises:
            ProtocolError: naming the item and the field, or what there is no room for; nothing is kept.
        """
        self.check()
        async with self._accepting:
            known = None if key is None else await self._keeping.ask(Store.keyed, key, owner)
            if known is not None:
                if known.digest != asked.digest:
                    message = f"idempotency-key: {key!r} came before, with another request"
                    raise ProtocolError("key_reused", message, param="idempotency-key")
                return await self._status(known)
            await self._check_share(owner)
            planned = await asyncio.to_thread(self._plan, asked)
            await self._check_space(planned)
            batch_id = secrets.token_hex(16)
            try:
                await self._keeping.ask(Store.add, batch_id, owner, key, asked.digest, planned)
            except sqlite3.Error as error:
                raise _no_space(f"the queue can't be written: {error}") from error
        self._worker.wake()
        log.info("batch %s of %d items accepted", batch_id, len(planned))
        return await self.status(batch_id, owner)

    async def status(self, batch_id: str, owner: str) -> BatchStatus:
        """How a batch stands. Raises ProtocolError where the owner has none of this id."""
        return await self._status(await self.find(batch_id, owner))

    async def owned(self, owner: str) -> list[BatchStatus]:
        """An owner's last batches, the newest first."""
        self.check()
        return [await self._status(kept) for kept in await self._keeping.ask(Store.owned, owner)]

    async def items(self, batch_id: str, owner: str, first: int, limit: int) -> list[BatchItemStatus]:
        """How some items of a batch stand, in order. Raises ProtocolError as `status`."""
        kept = await self.find(batch_id, owner)
        found = await self._keeping.ask(Store.items, kept.seq, first, limit)
        return await asyncio.to_thread(lambda: [item_status(item) for item in found])

    async def file(self, batch_id: str, owner: str, number: int) -> tuple[Path, BatchItemStatus]:
        """The file of an item, and what it is. Raises ProtocolError where it is not there, saying why."""
        kept = await self.find(batch_id, owner)
        found = await self._keeping.ask(Store.items, kept.seq, number, 1)
        if not found or found[0].n != number:
            raise ProtocolError("not_found", f"item: batch {batch_id} has no item {number}", param="item")
        item = await asyncio.to_thread(item_status, found[0])
        if item.error is not None:
            raise ProtocolError("failed", f"item: item {number} can't be had: {item.error.message}", param="item")
        if item.state == "cancelled":
            raise ProtocolError("not_kept", f"item: batch {batch_id} was cancelled", param="item")
        if item.state != "done":
            raise _not_done(f"item: item {number} is {item.state}", "item")
        return self._path(kept, item), item

    async def files(self, batch_id: str, owner: str) -> tuple[Kept, list[Path], list[BatchItemStatus]]:
        """Every file of a batch that is over, and how its items stand. Raises ProtocolError."""
        kept = await self.find(batch_id, owner)
        if kept.cancelled:
            raise ProtocolError("not_kept", f"batch: {batch_id} was cancelled", param="batch")
        if kept.ended is None:
            raise _not_done(f"batch: {batch_id} is not done", "batch")
        found = await self._keeping.ask(Store.items, kept.seq, 0, ITEMS)
        items = await asyncio.to_thread(lambda: [item_status(item) for item in found])
        return kept, [self._path(kept, item) for item in items if item.state == "done"], items

    async def cancel(self, batch_id: str, owner: str) -> BatchStatus:
        """Draw no more of a batch, and remove its files. Raises ProtocolError as `status`."""
        kept = await self.find(batch_id, owner)
        await self._keeping.ask(Store.cancel, kept.seq)
        await self._worker.drop(kept.id)
        await asyncio.to_thread(self._keeping.results.remove, kept.id)
        return await self.status(batch_id, owner)

    async def find(self, batch_id: str, owner: str) -> Kept:
        """An owner's batch. Raises ProtocolError; another's is as if it were not there."""
        self.check()
        kept = await self._keeping.ask(Store.named, batch_id, owner)
        if kept is None:
            raise ProtocolError("not_found", f"batch: there is no batch {batch_id!r}", param="batch")
        return kept

    def check(self) -> None:
        """Raise a ProtocolError where there are no batches here."""
        if self._fault is not None:
            raise ProtocolError("no_batches", f"no batches here: {self._fault}", kind="internal")

    def _plan(self, asked: Asked) -> list[Planned]:
        planned, pauses = [], Pauses()
        for number, item in enumerate(asked.items()):
            planned.append(self._planner.plan(item, number))
            pauses.take()
        return planned

    async def _check_share(self, owner: str) -> None:
        open_batches = await self._keeping.ask(Store.open_batches, owner)
        if open_batches >= self.config.per_key:
            message = f"batches: {open_batches} are not done, of at most {self.config.per_key}"
            raise ProtocolError(
                "too_many_batches", message, param="batches", kind="capacity", retry_after_s=RETRY_AFTER_S
            )

    async def _check_space(self, planned: Sequence[Planned]) -> None:
        """Raise a ProtocolError where the files might not fit on the disk, beside those that are to come already."""
        promised = await self._keeping.ask(Store.promised_bytes)
        needed = sum(item.most_bytes + len(item.request) for item in planned)
        free = await asyncio.to_thread(lambda: self._keeping.results.free_bytes)
        left = free - promised - self.config.least_free_bytes
        if needed > left:
            raise _no_space(
                f"items: their files may take {needed} bytes; of {free} that are free, {promised} are for batches that"
                f" were accepted before, and {self.config.least_free_bytes} stay free"
            )

    async def _status(self, kept: Kept) -> BatchStatus:
        ask = self._keeping.ask
        tallies, failures = await ask(Store.tallies, kept.seq), await ask(Store.failures, kept.seq)
        ahead = 0.0 if kept.ended is not None else await ask(Store.seconds_ahead, kept.seq)
        drawn_s = self._worker.drawn_s(kept.id)
        return status(
            kept, tallies, failures, Course(drawn_s, ahead - drawn_s, self._worker.pace), self.config.expiry_s
        )

    def _path(self, kept: Kept, item: BatchItemStatus) -> Path:
        return self._keeping.results.path(kept.id, item.item, CONTAINERS[item.format].suffix)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fault = "they stopped; the log tells why"
            log.error("batches stopped", exc_info=error)

    async def _expire(self) -> None:
        while True:
            with suppress(sqlite3.Error):  # such as a full disk: there is another time
                for batch_id in await self._keeping.ask(Store.forget, time.time() - self.config.expiry_s):
                    await asyncio.to_thread(self._keeping.results.remove, batch_id)
            await asyncio.sleep(min(SWEEP_S, self.config.expiry_s))


def _not_done(message: str, param: str) -> ProtocolError:
    return ProtocolError("not_done", message, param=param, retry_after_s=RETRY_AFTER_S)


def _no_space(message: str) -> ProtocolError:
    return ProtocolError("no_space", message, param="items", kind="capacity")
