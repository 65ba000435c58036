"""The place of batch sessions: each has the slots that no listener wants, and stands aside, as it is, for one who does.

Belongs to the engine's thread. What is set aside goes on, bit for bit, once slots are free again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass

from ostinato.models.sampling.contract import Snapshot
from ostinato.server.admission import Admission, NoRoomError
from ostinato.server.guarded import guarded
from ostinato.server.mailbox import Opening, announce
from ostinato.server.pool import Pool
from ostinato.server.protocol import ProtocolError
from ostinato.server.session import Session
from ostinato.server.witness import Witness


@dataclass(eq=False)
class Aside:
    """A session that holds no slots for now, and the states of its voices by the slots that they were drawn in."""

    session: Session
    voices: Mapping[int, Snapshot]


class Background:
    """Batch sessions that are not drawn: those set aside, then those that ask to be let in.

    Bounded by whoever asks: each item of a batch is one session, and few are asked for at once.

    Args:
        pools: by the names of their models.
        admission: what there is room for.
        sessions: those that are drawn, by id.
        witness: sees who comes and goes.
    """

    def __init__(
        self,
        pools: Mapping[str, Pool],
        admission: Admission,
        sessions: MutableMapping[str, Session],
        witness: Witness,
    ) -> None:
        self._pools, self._admission, self._sessions, self._witness = pools, admission, sessions, witness
        self._aside: list[Aside] = []
        self._asking: list[Opening] = []

    def ask(self, opening: Opening) -> None:
        """Wait behind those that came before."""
        self._asking.append(opening)

    def make_way(self, model: str, voices: int) -> bool:
        """Give a listener so many slots, where batch sessions hold enough of them; the newest stands aside first."""
        pool = self._pools[model]
        held = [s for s in self._sessions.values() if s.batch and s.model == model]
        if pool.free >= voices or pool.free + sum(s.voices for s in held) < voices:
            return False
        while pool.free < voices:
            self._set_aside(held.pop())
        return True

    def look_after(self, let_in: Callable[[Opening], bool], now: float) -> None:
        """Let back in who fits, then let in who does; nobody overtakes one of the same model."""
        self._forget_gone(now)
        barred: set[str] = set()
        for aside in list(self._aside):
            if aside.session.model not in barred and self._go_on(aside, now):
                self._aside.remove(aside)
            else:
                barred.add(aside.session.model)
        for opening in list(self._asking):
            if opening.start.model not in barred and let_in(opening):
                self._asking.remove(opening)
            else:
                barred.add(opening.start.model)

    def dismiss(self, error: ProtocolError, now: float) -> list[Opening]:
        """Let go of every batch session that there is, drawn or not: those that were never let in."""
        for session in [s for s in self._sessions.values() if s.batch]:
            session.fail(error)  # it is let out as any session that is over
        for aside in self._aside:
            aside.session.fail(error)
            announce([aside.session.mailbox])
            self._witness.closed(aside.session, now)
        asking, self._aside, self._asking = self._asking, [], []
        return asking

    def _set_aside(self, session: Session) -> None:
        pool = self._pools[session.model]
        voices: dict[int, Snapshot] = {}
        with guarded(session):
            voices = {slot: pool.sampler.snapshot(slot) for slot in session.performance.drawn_slots}
        announce([session.mailbox])
        del self._sessions[session.id]
        pool.release(session.slots)
        self._aside.append(Aside(session, voices))

    def _go_on(self, aside: Aside, now: float) -> bool:
        """Whether there is room for one that was set aside; then it is drawn again."""
        session = aside.session
        try:
            slots = self._admission.make_room_again(session, self._sessions.values(), now)
        except NoRoomError:
            return False
        self._sessions[session.id] = session
        moved, sampler = session.move(slots), self._pools[session.model].sampler
        with guarded(session):
            for slot, state in aside.voices.items():
                sampler.restore(moved[slot], state)
        return True

    def _forget_gone(self, now: float) -> None:
        self._asking = [opening for opening in self._asking if not opening.mailbox.hung_up]
        for aside in [a for a in self._aside if a.session.mailbox.hung_up or a.session.over]:
            self._aside.remove(aside)
            self._witness.closed(aside.session, now)
