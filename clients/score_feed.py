"""Which events of a score are sent when: early enough to be in time, no faster than the server takes messages."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final, Literal

from ostinato.server.protocol import Allowance, Event, SessionCreated

AHEAD_S: Final = 30.0  # of what has arrived: how early a score's events are sent to a live session
UNANSWERED: Final = 4096  # events under way at most; the server lets 8192 wait


class ScoreFeed:
    """The events of a score that are yet to be sent, in order of time."""

    def __init__(self, mode: Literal["live", "fast"]) -> None:
        self.waits = False  # something is near, and must not be sent yet
        self._mode = mode
        self._score: deque[Event] = deque()
        self._created: SessionCreated | None = None
        self._allowance: Allowance | None = None

    def add(self, events: Iterable[Event]) -> None:
        """Take more of the score."""
        self._score.extend(events)

    def connected(self, created: SessionCreated, now: float) -> None:
        """A session is there, or there again: its limits hold for a connection."""
        self._created = created
        # half of what may come at once: what the network holds back for a while comes at once, too
        most = created.limits
        self._allowance = Allowance(most.messages_per_s, most.messages_burst / 2, now)

    def due(self, received: int, unanswered: int, now: float) -> Iterator[Event]:
        """Those to be sent now, where so many samples have come and so many events are under way."""
        self.waits = False
        if not self._created or not self._allowance:
            return
        # a fast session may be far ahead of what has arrived: it gets events as early as it takes them
        ahead_s = AHEAD_S if self._mode == "live" else self._created.limits.ahead_s
        near = received + ahead_s * self._created.format.sample_rate
        while self._score and (self._score[0].at_sample or 0) <= near and unanswered < UNANSWERED:
            if self._allowance.take(now):
                self.waits = True
                return
            unanswered += 1
            yield self._score.popleft()
