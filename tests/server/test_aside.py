"""What blocks runs in a thread, and is over when its `await` is, also where that is cancelled."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ostinato.server.aside import aside, entered_aside


class Slow:
    """A context manager whose entering lasts until it is let go; what it does, and in which thread."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.threads: set[int] = set()
        self.begun, self.let_go = threading.Event(), threading.Event()

    @contextmanager
    def held(self) -> Iterator[str]:
        self._tell("enters")
        self.begun.set()
        self.let_go.wait(10.0)
        try:
            yield "value"
        finally:
            self._tell("leaves")

    def _tell(self, what: str) -> None:
        self.told.append(what)
        self.threads.add(threading.get_ident())


def test_it_is_entered_and_left_in_threads() -> None:
    slow = Slow()
    slow.let_go.set()

    async def use() -> None:
        async with entered_aside(slow.held) as value:
            slow.told.append(value)

    asyncio.run(use())
    assert slow.told == ["enters", "value", "leaves"]
    assert threading.get_ident() not in slow.threads


def test_what_goes_wrong_within_is_told_to_it_and_to_the_caller() -> None:
    slow = Slow()
    slow.let_go.set()

    async def use() -> None:
        async with entered_aside(slow.held):
            raise KeyError("within")

    with pytest.raises(KeyError, match="within"):
        asyncio.run(use())
    assert slow.told == ["enters", "leaves"]


@pytest.mark.parametrize("cancels", [1, 2])
def test_what_is_cancelled_while_it_is_entered_is_left(cancels: int) -> None:
    slow = Slow()

    async def use() -> None:
        async with entered_aside(slow.held):
            slow.told.append("never")

    async def cancel() -> None:
        using = asyncio.create_task(use())
        await asyncio.to_thread(slow.begun.wait, 10.0)
        for _ in range(cancels):
            using.cancel()
            await asyncio.sleep(0.01)
        assert not using.done()
        slow.let_go.set()
        with pytest.raises(asyncio.CancelledError):
            await using

    asyncio.run(cancel())
    assert slow.told == ["enters", "leaves"]


def test_a_call_that_is_cancelled_is_over_first() -> None:
    begun, let_go, ended = threading.Event(), threading.Event(), threading.Event()

    def call() -> None:
        begun.set()
        let_go.wait(10.0)
        ended.set()

    async def cancel() -> None:
        calling = asyncio.create_task(aside(call))
        await asyncio.to_thread(begun.wait, 10.0)
        calling.cancel()
        await asyncio.sleep(0.01)
        let_go.set()
        with pytest.raises(asyncio.CancelledError):
            await calling
        assert ended.is_set()

    asyncio.run(cancel())
