"""Sessions that have lost their listener and may be carried on: bounded in time and in bytes.

A session that is kept holds no slot and its clock stands still. What its voices were is a snapshot of each; what was
drawn and may not have arrived stands in its ring of sent audio.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from ostinato.models.sampling.contract import Snapshot
from ostinato.server.session import Session

MOST: Final = 1024  # sessions
SESSION_BYTES: Final = 64 * 1024  # of one, beside its sound and its voices


@dataclass(eq=False)
class Kept:
    """One session without a listener."""

    session: Session
    voices: Mapping[int, Snapshot]  # by the slot that each was drawn in
    until: float  # when it is given up

    def __post_init__(self) -> None:
        states = sum(array.nbytes for state in self.voices.values() for array in state.arrays.values())
        self.nbytes = SESSION_BYTES + states + self.session.outlet.sent.nbytes


class KeptSessions:
    """All that are kept, the longest kept first.

    Args:
        window_s: seconds that each is kept; 0 keeps none.
        most_bytes: of all together; beyond it the longest kept are given up.
    """

    def __init__(self, window_s: float, most_bytes: int) -> None:
        self._window_s, self._most_bytes = window_s, most_bytes
        self._kept: dict[str, Kept] = {}  # by session id
        self._nbytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[Kept]:
        return iter(tuple(self._kept.values()))

    def keep(self, session: Session, voices: Mapping[int, Snapshot], now: float) -> list[Session]:
        """Keep a session for the window: those that are given up for it, itself where there is no room at all."""
        kept = Kept(session, voices, now + self._window_s)
        self._kept[session.id] = kept
        self._nbytes += kept.nbytes
        gone = []
        while self._kept and (self._nbytes > self._most_bytes or len(self) > MOST or self._window_s == 0.0):
            gone.append(self.take(next(iter(self._kept.values())).session).session)
        return gone

    def hold(self, session: Session, now: float) -> None:
        """Let its window begin anew: its listener is there, and waits for room."""
        self._kept[session.id].until = now + self._window_s

    def take(self, session: Session) -> Kept:
        """Hand one out, to be carried on."""
        kept = self._kept.pop(session.id)
        self._nbytes -= kept.nbytes
        return kept

    def give_up(self, now: float) -> list[Session]:
        """Let go of those whose time is over, or whose listener has had everything."""
        gone = [k.session for k in self if k.until <= now or (k.session.over and k.session.mailbox.left)]
        for session in gone:
            self.take(session)
        return gone
