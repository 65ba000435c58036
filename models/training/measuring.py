"""Measuring many notes, spread over processes, while the next ones are still being drawn."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Inline(Executor):
    """Runs what it is given at once: no process is started for a few notes."""

    def submit(self, task: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run the task, and return its result as a future; what it raises is raised here."""
        future: Future[T] = Future()
        future.set_result(task(*args, **kwargs))
        return future


@contextmanager
def workers(jobs: int) -> Iterator[Executor]:
    """`jobs` processes, or none where that is 1. They are spawned: a fork would copy torch's threads half."""
    if jobs == 1:
        yield Inline()
        return
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool
