"""Sessions that have lost their listener and may be carried on: bounded in time and in bytes.

A session that is kept holds no slot and its clock stands still. What its voices were is a snapshot of each; what was
drawn and may not have arrived stands in its ring of sent audio.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ostinato.models.sampling.contract import Snapshot
from ostinato.server.session import Session


@dataclass
class Kept:
    """One session without a listener."""

    session: Session
    until: float  # when it is given up
    voices: Mapping[int, Snapshot] = field(default_factory=dict)  # by the slot that each was drawn in

    @property
    def nbytes(self) -> int:
        """Memory that is held for it."""
        states = sum(array.nbytes for state in self.voices.values() for array in state.arrays.values())
        return states + self.session.outlet.sent.nbytes


class KeptSessions:
    """All that are kept, the longest kept first.

    Args:
        window_s: seconds that each is kept; 0 keeps none.
        most_bytes: of all together; beyond it the longest kept are given up.
    """

    def __init__(self, window_s: float, most_bytes: int) -> None:
        self._window_s, self._most_bytes = window_s, most_bytes
        self._kept: dict[str, Kept] = {}  # by session id

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[Kept]:
        return iter(tuple(self._kept.values()))

    def keep(self, session: Session, voices: Mapping[int, Snapshot], now: float) -> None:
        """Keep a session for the window."""
        if self._window_s > 0.0:
            self._kept[session.id] = Kept(session, now + self._window_s, voices)

    def hold(self, session: Session, now: float) -> None:
        """Let its window begin anew: its listener is there, and waits for room."""
        self._kept[session.id].until = now + self._window_s

    def take(self, session: Session) -> Kept:
        """Hand one out, to be carried on."""
        return self._kept.pop(session.id)

    def give_up(self, now: float) -> list[Session]:
        """Let go of those whose time is over or whose listener has had everything, and of the longest kept."""
        gone = [k for k in self if k.until <= now or (k.session.over and k.session.mailbox.left)]
        for kept in gone:
            del self._kept[kept.session.id]
        total = sum(kept.nbytes for kept in self)
        for kept in self:
            if total <= self._most_bytes:
                break
            total -= kept.nbytes
            del self._kept[kept.session.id]
            gone.append(kept)
        return [kept.session for kept in gone]
