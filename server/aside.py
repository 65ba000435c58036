"""Calls that block, in a thread, over when their `await` is: a file is used by one at a time, after a cancel too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from typing import ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")


async def aside(call: Callable[P, T], *values: P.args, **named: P.kwargs) -> T:
    """What a call gives, made in a thread. Cancelled, it ends once the call has."""
    return await _over(asyncio.create_task(asyncio.to_thread(call, *values, **named)))


@asynccontextmanager
async def entered_aside(make: Callable[[], AbstractContextManager[T]]) -> AsyncIterator[T]:
    """A context manager that is made, entered and left in threads; left wherever it was entered."""

    def enter() -> tuple[AbstractContextManager[T], T]:
        context = make()
        return context, context.__enter__()

    entering = asyncio.create_task(asyncio.to_thread(enter))
    try:
        _, value = await _over(entering)
        yield value
    except BaseException as error:
        if entering.exception() is None:
            await aside(entering.result()[0].__exit__, type(error), error, error.__traceback__)
        raise
    await aside(entering.result()[0].__exit__, None, None, None)


async def _over(running: asyncio.Task[T]) -> T:
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        while not running.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([running])
        running.exception()  # nobody is left to hear of it
        raise
