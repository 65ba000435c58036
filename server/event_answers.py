"""Which events a session has taken, so that one that is sent twice is answered and not applied twice.

A listener that comes back after a lost connection sends again whatever was not answered.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ostinato.server.performance import Applied
from ostinato.server.protocol import ControlApplied, Event, ProtocolError

REMEMBERED: Final = 16_384  # events


@dataclass
class _Taken:
    event: Event
    sample: int | None = None  # from which it is heard, once it is applied


class Answers:
    """The last events taken, by event_id."""

    def __init__(self) -> None:
        self._taken: dict[str, _Taken] = {}

    def knows(self, event: Event) -> bool:
        """Whether it was taken before. Raises ProtocolError where another one had its event_id."""
        taken = self._taken.get(event.event_id)
        if taken is None:
            return False
        if taken.event != event:
            message = f"event_id: {event.event_id!r} was sent before, for another event"
            raise ProtocolError("duplicate_event_id", message, param="event_id", event_id=event.event_id)
        return True

    def again(self, event: Event) -> ControlApplied | None:
        """The answer to an event that is known; None where it is still to be given."""
        sample = self._taken[event.event_id].sample
        return None if sample is None else ControlApplied(event_id=event.event_id, sample=sample)

    def take(self, event: Event) -> None:
        """Remember an event."""
        self._taken[event.event_id] = _Taken(event)
        if len(self._taken) > REMEMBERED:
            del self._taken[next(iter(self._taken))]

    def applied(self, events: Iterable[Applied]) -> list[ControlApplied]:
        """Remember from which samples these are heard: the answers to them."""
        answers = []
        for event_id, sample in ((a.event_id, a.sample) for a in events):
            if event_id in self._taken:  # else it is of a score, or too long ago
                self._taken[event_id].sample = sample
            answers.append(ControlApplied(event_id=event_id, sample=sample))
        return answers
