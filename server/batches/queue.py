"""The batch queue, as routes see it: accept, tell, hand out, cancel; and what happens by itself, drawing and expiry."""

from __future__ import annotations

import asyncio
import logging
import secrets
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Concatenate, Final, ParamSpec, TypeVar

from ostinato.server.admission import full
from ostinato.server.batches.body import Asked
from ostinato.server.batches.config import BatchConfig
from ostinato.server.batches.keeping import Keeping
from ostinato.server.batches.pauses import paced
from ostinato.server.batches.plan import Planned, Planner, told
from ostinato.server.batches.rows import Kept, KeptItem, Standing
from ostinato.server.batches.store import Store, StoreError
from ostinato.server.batches.telling import Course, item_status, status
from ostinato.server.batches.worker import Worker
from ostinato.server.engine import Engine
from ostinato.server.limits import SessionLimits
from ostinato.server.protocol import ITEMS, BatchItemStatus, BatchStatus, ProtocolError
from ostinato.server.sound.formats import CONTAINERS

P = ParamSpec("P")
Answer = TypeVar("Answer")
log = logging.getLogger(__name__)

READ_AT_ONCE: Final = 8  # requests
READ_FOR_ONE: Final = 2  # of them, with one key
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
        self._reading: Counter[str] = Counter()  # requests, by owner
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Go on where the last server stopped. Where the data folder can't be used, all else is served."""
        self._worker = Worker(self._engine, self._keeping, self.config)
        self._accepting = asyncio.Lock()  # what is free is promised to one at a time
        try:
            again = await self._keeping.open()
        except StoreError as error:
            self._fault = "the data folder can't be used; the log tells why"
            log.error("no batches: %s", error)
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
    def reading(self, owner: str) -> Iterator[None]:
        """While a request is read and accepted, since its body lies in memory. Raises ProtocolError."""
        if self._reading[owner] >= READ_FOR_ONE:
            raise full(f"batches: {READ_FOR_ONE} with this key are being read, the most at once")
        if self._reading.total() >= READ_AT_ONCE:
            raise full(f"batches: {READ_AT_ONCE} are being read, the most at once")
        self._reading[owner] += 1
        try:
            yield
        finally:
            self._reading[owner] -= 1
            self._reading += Counter()  # forget who has none

    async def accept(self, asked: Asked, owner: str, key: str | None) -> BatchStatus:
        """Keep a batch; once this returns it will be drawn. Or that which came before with the same key.

        Raises:
            ProtocolError: naming the item and the field, or what there is no room for; nothing is kept.
        """
        self.check()
        known = await self._known(asked, owner, key)
        if known is None:
            planned = await asyncio.to_thread(self._plan, asked)
            async with self._accepting:
                known = await self._known(asked, owner, key)  # it may have come twice at once
                if known is None:
                    return await self._add(planned, asked.digest, owner, key)
        return await self.status(known.id, owner)

    async def status(self, batch_id: str, owner: str) -> BatchStatus:
        """How a batch stands. Raises ProtocolError where the owner has none of this id."""
        standing = await self._ask(Store.standing, batch_id, owner)
        if standing is None:
            raise _unknown(batch_id)
        return self._told(standing)

    async def owned(self, owner: str) -> list[BatchStatus]:
        """An owner's last batches, the newest first."""
        return [self._told(standing) for standing in await self._ask(Store.standings, owner)]

    async def items(self, batch_id: str, owner: str, first: int, limit: int) -> list[BatchItemStatus]:
        """How some items of a batch stand, in order. Raises ProtocolError as `status`."""
        kept = await self.find(batch_id, owner)
        found = await self._ask(Store.items, kept.seq, first, limit)
        return await asyncio.to_thread(lambda: [item_status(item) for item in paced(found)])

    async def file(self, batch_id: str, owner: str, number: int) -> tuple[BinaryIO, BatchItemStatus]:
        """The file of an item, open, and what it is. Raises ProtocolError where it is not there, saying why."""
        kept = await self.find(batch_id, owner)
        found = await self._ask(Store.items, kept.seq, number, 1) if number < ITEMS else []
        if not found or found[0].n != number:
            raise ProtocolError("not_found", f"item: batch {batch_id} has no item {number}", param="item")
        item = await asyncio.to_thread(item_status, found[0])
        if item.error is not None:
            raise ProtocolError("failed", f"item: item {number} can't be had: {item.error.message}", param="item")
        if item.state == "cancelled":
            raise ProtocolError("not_kept", f"item: batch {batch_id} was cancelled", param="item")
        if item.state != "done":
            raise _not_done(f"item: item {number} is {item.state}", "item")
        try:
            return await asyncio.to_thread(self._path(kept, item).open, "rb"), item
        except FileNotFoundError:  # cancelled or forgotten since it was asked for, or taken away
            raise _gone(f"item: the file of item {number} is gone", "item") from None

    async def files(self, batch_id: str, owner: str) -> tuple[Kept, list[Path], list[KeptItem]]:
        """A batch that is over, the file of every item that is done, and all items. Raises ProtocolError."""
        kept = await self.find(batch_id, owner)
        if kept.removed:
            raise _gone(f"batch: the files of {batch_id} were removed", "batch")
        if kept.ended is None:
            raise _not_done(f"batch: {batch_id} is not done", "batch")
        items = await self._ask(Store.items, kept.seq, 0, ITEMS)
        there = await asyncio.to_thread(self._keeping.results.files, kept.id)
        done = [item.n for item in items if item.state == "done"]
        for number in done:
            if number not in there:
                raise _gone(f"batch: the file of item {number} is gone", "batch")
        return kept, [there[number] for number in done], items

    async def cancel(self, batch_id: str, owner: str) -> BatchStatus:
        """Draw no more of a batch, and remove its files; one that is over stays so. Raises as `status`."""
        kept = await self.find(batch_id, owner)
        await self._ask(Store.cancel, kept.seq)
        await self._worker.drop(kept.id)
        await asyncio.to_thread(self._keeping.results.remove, kept.id)
        return await self.status(batch_id, owner)

    async def find(self, batch_id: str, owner: str) -> Kept:
        """An owner's batch. Raises ProtocolError; another's is as if it were not there."""
        kept = await self._ask(Store.named, batch_id, owner)
        if kept is None:
            raise _unknown(batch_id)
        return kept

    def check(self) -> None:
        """Raise a ProtocolError where there are no batches here."""
        if self._fault is not None:
            message = f"no batches here: {self._fault}"
            raise ProtocolError("no_batches", message, kind="internal", retry_after_s=RETRY_AFTER_S)

    def _plan(self, asked: Asked) -> list[Planned]:
        return [self._planner.plan(item, number) for number, item in enumerate(asked.items())]

    async def _known(self, asked: Asked, owner: str, key: str | None) -> Kept | None:
        """The batch that came before with the same key. Raises ProtocolError where it is another."""
        known = None if key is None else await self._ask(Store.keyed, key, owner)
        if known is not None and known.digest != asked.digest:
            message = f"idempotency-key: {key!r} came before, with another request"
            raise ProtocolError("key_reused", message, param="idempotency-key")
        return known

    async def _add(self, planned: Sequence[Planned], digest: bytes, owner: str, key: str | None) -> BatchStatus:
        """Keep a batch, once there is room for it."""
        await self._check_share(owner)
        await self._check_space(planned)
        batch_id = secrets.token_hex(16)
        await self._ask(Store.add, batch_id, owner, key, digest, planned)
        self._worker.wake()
        log.info("batch %s of %d items accepted", batch_id, len(planned))
        return await self.status(batch_id, owner)

    async def _ask(
        self, question: Callable[Concatenate[Store, P], Answer], *values: P.args, **named: P.kwargs
    ) -> Answer:
        """What the store answers. Raises ProtocolError where there is none, or it can't."""
        self.check()
        try:
            return await self._keeping.ask(question, *values, **named)
        except sqlite3.Error as error:
            log.warning("the batch queue can't be used: %s", error)
            if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
                raise _no_space("the disk has no room for the batch queue") from error
            message = "the batch queue can't be used; the log tells why"
            raise ProtocolError("no_batches", message, kind="internal", retry_after_s=RETRY_AFTER_S) from error

    async def _check_share(self, owner: str) -> None:
        open_batches = await self._ask(Store.open_batches, owner)
        if open_batches >= self.config.per_key:
            message = f"batches: {open_batches} are not done, of at most {self.config.per_key}"
            raise ProtocolError(
                "too_many_batches", message, param="batches", kind="capacity", retry_after_s=RETRY_AFTER_S
            )

    async def _check_space(self, planned: Sequence[Planned]) -> None:
        """Raise a ProtocolError where the files might not fit on the disk, beside those that are to come already."""
        promised = await self._ask(Store.promised_bytes)
        needed = sum(item.most_bytes + len(item.request) for item in planned)
        free = await asyncio.to_thread(lambda: self._keeping.results.free_bytes)
        left = free - promised - self.config.least_free_bytes
        if needed > left:
            raise _no_space(
                f"items: their files may take {needed} bytes; of {free} that are free, {promised} are for batches that"
                f" were accepted before, and {self.config.least_free_bytes} stay free"
            )

    def _told(self, standing: Standing) -> BatchStatus:
        course = Course(self._worker.drawn_s(standing.kept.id), self._worker.pace, self._engine.cards.keys())
        return status(standing, course, self.config.expiry_s)

    def _path(self, kept: Kept, item: BatchItemStatus) -> Path:
        return self._keeping.results.path(kept.id, item.item, CONTAINERS[item.format].suffix)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fault = "they stopped; the log tells why"
            log.error("batches stopped", exc_info=error)

    async def _expire(self) -> None:
        while True:
            before = time.time() - self.config.expiry_s
            with suppress(sqlite3.Error):  # such as a full disk: there is another time
                served = list(self._engine.cards)
                message = f"model: was not served in {self.config.expiry_s:g} s; there are {', '.join(served)}"
                error = ProtocolError("unknown_model", message, param="model")
                if failed := await self._keeping.ask(Store.give_up, served, before, told(error).model_dump_json()):
                    log.warning("%d items of batches failed: their models are not served", failed)
                for batch_id in await self._keeping.ask(Store.forget, before):
                    await asyncio.to_thread(self._keeping.results.remove, batch_id)
            await asyncio.sleep(min(SWEEP_S, self.config.expiry_s))


def _unknown(batch_id: str) -> ProtocolError:
    return ProtocolError("not_found", f"batch: there is no batch {batch_id!r}", param="batch")


def _gone(message: str, param: str) -> ProtocolError:
    return ProtocolError("not_kept", message, param=param)


def _not_done(message: str, param: str) -> ProtocolError:
    return ProtocolError("not_done", message, param=param, retry_after_s=RETRY_AFTER_S)


def _no_space(message: str) -> ProtocolError:
    return ProtocolError("no_space", message, param="items", kind="capacity")
