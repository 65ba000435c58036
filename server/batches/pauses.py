"""Long work in a thread, at half speed, so that the engine has the interpreter when it wants it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

WORK_S: Final = 0.001  # at once; a step of the engine takes about as long

T = TypeVar("T")


class Pauses:
    """Rests as long as it worked. `take` it between pieces of the work."""

    def __init__(self) -> None:
        self._since = time.perf_counter()

    def take(self) -> None:
        """Rest, where it is time to."""
        worked = time.perf_counter() - self._since
        if worked >= WORK_S:
            time.sleep(worked)
            self._since = time.perf_counter()


def paced(pieces: Iterable[T]) -> Iterator[T]:
    """The same pieces, with pauses between them."""
    pauses = Pauses()
    for piece in pieces:
        yield piece
        pauses.take()
