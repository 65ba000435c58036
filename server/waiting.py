"""The line of those for whom there is no room yet: who came back first, then who came first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from ostinato.server.mailbox import Opening
from ostinato.server.protocol import QueueUpdate

UPDATE_S: Final = 1.0  # between two updates to one who waits, where the estimate has changed
SILENCE_S: Final = 5.0  # and where nothing has: a listener is to know that it still waits
REMEMBERED: Final = 0.3  # weight of the newest of the times between departures


@dataclass(eq=False)
class Place:
    """One who waits."""

    opening: Opening
    since: float
    told: QueueUpdate | None = None
    told_at: float = 0.0

    @property
    def returning(self) -> bool:
        """Whether it carries a session on; those go first."""
        return self.opening.start.resume is not None


class WaitingLine:
    """Openings in the order in which they are let in.

    Args:
        most: new listeners that may wait; those that come back are not counted, since each had its place before.
        patience_s: how long a new listener waits at most.
    """

    def __init__(self, most: int, patience_s: float) -> None:
        self._most, self._patience_s = most, patience_s
        self._places: list[Place] = []
        self._left_at: float | None = None
        self._between_s: float | None = None  # two departures, on a running average

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Place]:
        return iter(tuple(self._places))

    @property
    def full(self) -> bool:
        """Whether no new listener may join."""
        return sum(not place.returning for place in self._places) >= self._most

    def bars(self, opening: Opening) -> bool:
        """Whether somebody waits already for what this one wants."""
        return any(_wanted(place.opening) == _wanted(opening) for place in self._places)

    def join(self, opening: Opening, now: float) -> None:
        """Wait behind those that came before."""
        self._places.append(Place(opening, now))
        self._places.sort(key=lambda place: not place.returning)  # stable

    def departed(self, now: float) -> None:
        """A session has left its place; from this comes the estimate."""
        if self._left_at is not None:
            between = now - self._left_at
            known = between if self._between_s is None else self._between_s
            self._between_s = known + REMEMBERED * (between - known)
        self._left_at = now

    def let_in(self, try_one: Callable[[Opening], bool]) -> None:
        """Let in whoever fits. Nobody overtakes one who wants the same: a place of this model, live or fast."""
        barred: set[tuple[str, str]] = set()
        for place in self:
            wanted = _wanted(place.opening)
            if wanted in barred:
                continue
            if try_one(place.opening):
                self._places.remove(place)
            else:
                barred.add(wanted)

    def forget_gone(self) -> None:
        """Let go of those who listen no more."""
        self._remove(lambda place: place.opening.mailbox.hung_up)

    def out_of_patience(self, now: float) -> list[Opening]:
        """Let go of the new listeners who have waited for too long."""
        return self._remove(lambda place: not place.returning and now - place.since > self._patience_s)

    def dismiss_new(self) -> list[Opening]:
        """Let go of those who were never in."""
        return self._remove(lambda place: not place.returning)

    def dismiss(self) -> list[Opening]:
        """Let go of everybody."""
        return self._remove(lambda _: True)

    def eta_s(self, position: int) -> float | None:
        """Seconds until so many have left, by how often sessions leave; None before two have."""
        return None if self._between_s is None else round(position * self._between_s, 1)

    def tell(self, now: float) -> None:
        """Tell everybody of their position where it has changed, and now and then of the estimate."""
        for position, place in enumerate(self._places, start=1):
            moved = place.told is None or place.told.position != position
            if moved or now - place.told_at >= UPDATE_S:
                update = QueueUpdate(position=position, eta_s=self.eta_s(position))
                if update != place.told or now - place.told_at >= SILENCE_S:
                    place.opening.mailbox.put(update)
                    place.told, place.told_at = update, now

    def _remove(self, which: Callable[[Place], bool]) -> list[Opening]:
        out = [place for place in self._places if which(place)]
        self._places = [place for place in self._places if place not in out]
        return [place.opening for place in out]


def _wanted(opening: Opening) -> tuple[str, str]:
    """What those who want the same compete for."""
    return opening.start.model, opening.start.mode
