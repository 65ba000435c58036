"""How many requests each owner of a key may make: an allowance for each, and one for all who have none."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from ostinato.server.protocol import Allowance, CloseCode, ProtocolError

NOBODY: Final = "\0"  # no owner's name: whoever has no key where one is needed


class Rates:
    """Allowances by owner, of whom there are as many as keys, and one. Lives on the event loop."""

    def __init__(self, per_s: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_s, self._burst, self._clock = per_s, burst, clock
        self._allowances: Final[dict[str, Allowance]] = {}

    def count(self, owner: str) -> None:
        """Count a request. Raises ProtocolError where it is one too many, saying when to try again."""
        now = self._clock()
        if owner not in self._allowances:
            self._allowances[owner] = Allowance(self._per_s, self._burst, now)
        wait_s = self._allowances[owner].take(now)
        if wait_s:
            whose = "without a key" if owner == NOBODY else f"with the key {owner!r}" if owner else "in all"
            message = f"requests: at most {self._per_s:g} a second {whose}, {self._burst} at once"
            raise ProtocolError(
                "too_many_requests",
                message,
                kind="capacity",
                close=CloseCode.TOO_MANY_REQUESTS,
                retry_after_s=wait_s,
            )
