"""The data folder: one server's alone; its database asked on a thread of its own, since SQLite blocks."""

from __future__ import annotations

import asyncio
import fcntl
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, Final, ParamSpec, TextIO, TypeVar

from ostinato.server.batches.results import Results
from ostinato.server.batches.store import Store, StoreError

P = ParamSpec("P")
Answer = TypeVar("Answer")

DATABASE: Final = "batches.sqlite3"
FOLDER: Final = "batches"
LOCK: Final = "lock"


class Keeping:
    """Store and results in a folder. `open` it first; `close` it last.

    Args:
        folder: made where it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._thread = ThreadPoolExecutor(1, "ostinato-batches")
        self._store: Store | None = None
        self._lock: TextIO | None = None
        self.results: Results

    async def open(self) -> int:
        """Begin where the last server stopped: how many items it was drawing. Raises StoreError."""
        return await self._on_thread(self._open)

    async def close(self) -> None:
        """Let go of the folder."""
        await self._on_thread(self._close)
        self._thread.shutdown()

    async def ask(
        self, question: Callable[Concatenate[Store, P], Answer], *values: P.args, **named: P.kwargs
    ) -> Answer:
        """What a method of the store answers. Raises sqlite3.Error."""
        return await self._on_thread(lambda: question(self._opened, *values, **named))

    @property
    def _opened(self) -> Store:
        assert self._store is not None
        return self._store

    async def _on_thread(self, call: Callable[[], Answer]) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    def _open(self) -> int:
        try:
            folder = self._folder.expanduser()
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # it holds what people asked for
            self._lock = (folder / LOCK).open("a")
            self.results = Results(folder / FOLDER)
        except (OSError, RuntimeError) as error:  # the latter where nobody is at home
            raise StoreError(f"data: {str(self._folder)!r} can't be used: {error}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            message = f"data: {str(self._folder)!r} is another server's; OSTINATO_DATA names a folder"
            raise StoreError(message) from None
        try:
            self._store = Store(folder / DATABASE)
            self.results.sweep(self._store.ids())
            return self._store.put_all_back()
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"data: {str(self._folder)!r} can't be used: {error}") from error

    def _close(self) -> None:
        if self._store is not None:
            self._store.put_all_back()
            self._store.close()
        if self._lock is not None:
            self._lock.close()
