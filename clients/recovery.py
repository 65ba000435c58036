"""What a client does about a connection that broke: when it tries again, and when that is the end. Sans I/O."""

from __future__ import annotations

import time
from collections.abc import Callable
from random import Random
from typing import Final

from ostinato.clients.conversation import Conversation
from ostinato.clients.errors import LostError, RefusedError, SilentError, StreamError, UnreachableError

FIRST_S: Final = 0.05  # before the first attempt
MOST_S: Final = 2.0  # before any of them

OnLoss = Callable[[StreamError], None]
"""Told why a connection is gone to which there may be a way back, once."""


class Recovery:
    """The attempts at a way back, each after twice the time of the one before, give or take a quarter.

    Args:
        conversation: what is to go on.
        within_s: how long one outage may last; 0: there is no way back.
        on_loss: told when an outage begins.
        clock: seconds.
        random: keeps many listeners of one server from coming back all at once.
    """

    def __init__(
        self,
        conversation: Conversation,
        within_s: float,
        on_loss: OnLoss = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
        random: Random | None = None,
    ) -> None:
        self._conversation, self._within_s, self._on_loss = conversation, within_s, on_loss
        self._clock, self._random = clock, random or Random()
        self._first: StreamError | None = None  # why the outage began
        self._since = 0.0
        self._attempts = 0

    def wait_s(self, why: StreamError) -> float:
        """Seconds until the next attempt, after this went wrong. Raises a StreamError where there is none to be made.

        An outage lasts until a connection has brought more than a greeting.
        """
        if self._first is None or self._conversation.settled:
            if not self._mendable(why):
                raise why
            self._first, self._since, self._attempts = why, self._clock(), 0
            self._conversation.settled = False
            self._on_loss(why)
        return self._next(why)

    def _mendable(self, why: StreamError) -> bool:
        """Whether the wire broke, in the middle of what may go on: a server that closes on purpose means it."""
        broke = isinstance(why, SilentError) or (isinstance(why, LostError) and why.code is None)
        return broke and self._within_s > 0.0 and self._conversation.may_return

    def _next(self, why: StreamError) -> float:
        wait_s = min(FIRST_S * 2.0 ** min(self._attempts, 16), MOST_S) * self._random.uniform(0.75, 1.25)
        if isinstance(why, RefusedError):
            if why.error.retry_after_s is None:
                raise LostError(f"{self._first}, and the session is not carried on: {why}") from why
            wait_s = max(wait_s, why.error.retry_after_s)
        elif not isinstance(why, LostError | SilentError | UnreachableError):
            raise why
        if self._clock() + wait_s - self._since > self._within_s:
            raise LostError(f"{self._first}, and no way back was found within {self._within_s:g} s: {why}") from why
        self._attempts += 1
        return wait_s
