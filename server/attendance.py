"""Who is there: sessions that are drawn, those kept for a listener that may come back, those that wait for room.

Belongs to the engine's thread. Slots are held by sessions that are drawn, and by nobody else.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from ostinato.models.sampling.contract import Snapshot
from ostinato.server.admission import Admission, NoRoomError, NoSlotsError, full
from ostinato.server.background import Background
from ostinato.server.guarded import guarded, unexpected
from ostinato.server.kept import KeptSessions
from ostinato.server.mailbox import Close, Opening, announce
from ostinato.server.pool import Pool
from ostinato.server.protocol import CloseCode, ProtocolError, Resume, ServerDraining
from ostinato.server.resume import resume_refused
from ostinato.server.session import Session
from ostinato.server.waiting import WaitingLine
from ostinato.server.witness import Witness

LOOK_S: Final = 0.05  # between two looks for sessions that are idle, or kept for too long


@dataclass(frozen=True)
class AttendanceConfig:
    """How long listeners are waited for, and how many."""

    idle_s: float = 600.0  # of a session without a word and without a sound
    queue: int = 32  # new listeners that may wait for room
    queue_s: float = 60.0  # how long each waits at most
    resume_window_s: float = 30.0  # a dropped listener may come back within; 0: never
    kept_bytes: int = 128 * 2**20  # of all sessions that are kept


class Attendance:
    """Lets sessions in and out.

    Args:
        pools: by the names of their models.
        admission: what there is room for.
        config: bounds.
        witness: sees who comes and goes.
    """

    def __init__(
        self,
        pools: Mapping[str, Pool],
        admission: Admission,
        config: AttendanceConfig,
        witness: Witness,
    ) -> None:
        self.sessions: Final[dict[str, Session]] = {}  # those that are drawn
        self._pools, self._admission, self._config, self._witness = pools, admission, config, witness
        self._kept = KeptSessions(config.resume_window_s, config.kept_bytes)
        self._line = WaitingLine(config.queue, config.queue_s)
        self._background = Background(pools, admission, self.sessions, witness)
        self._looked_at = -math.inf
        self._drained_at: float | None = None  # when whoever is left is cut off

    @property
    def waiting(self) -> int:
        """How many wait for room."""
        return len(self._line)

    @property
    def kept(self) -> int:
        """How many sessions are kept for listeners that may come back."""
        return len(self._kept)

    @property
    def empty(self) -> bool:
        """Whether nobody is there or may come back in the middle of a session."""
        return not self.sessions and not self._line and all(kept.session.over for kept in self._kept)

    def arrive(self, opening: Opening, now: float) -> None:
        """Let a listener in, back in, or into the line; or tell why not."""
        if opening.mailbox.hung_up:
            return
        try:
            if opening.start.resume is not None:
                self._come_back(opening, opening.start.resume, now)
            elif self._drained_at is not None:
                raise draining(self._drained_at - now)
            else:
                self._admission.check(opening, () if opening.batch else self._owners())
                if opening.batch:
                    self._background.ask(opening)
                elif self._line.bars(opening) or not self._let_in(opening, now):
                    self._wait(opening, now)
        except ProtocolError as error:
            self._refuse(opening, error)
        except Exception:
            self._refuse(opening, unexpected(opening))

    def look_after(self, now: float) -> None:
        """Let out who is done or gone, let in who waits, and keep what may be asked for again."""
        if now >= self._looked_at + LOOK_S:
            self._looked_at = now
            for place in self._line:
                self._hold(place.opening, now)
            for session in self.sessions.values():
                session.expire(now, self._config.idle_s)
            for session in self._kept.give_up(now):
                self._witness.closed(session, now)
        for session in list(self.sessions.values()):
            if session.over or session.mailbox.hung_up:
                self._out(session, now)
        self._look_after_line(now)
        self._background.look_after(lambda opening: self._try(opening, now), now)
        if self._drained_at is not None and now >= self._drained_at:
            self._cut_off(now)

    def drain(self, seconds: float, now: float) -> None:
        """Let nobody else in; tell those who are there that they have so long to finish."""
        if self._drained_at is not None:
            return
        self._drained_at = now + seconds
        for opening in [*self._line.dismiss_new(), *self._background.dismiss(draining(seconds), now)]:
            self._refuse(opening, draining(seconds))
        for session in self.sessions.values():
            session.mailbox.put(ServerDraining(deadline_s=seconds))

    def dismiss(self, error: ProtocolError, now: float) -> None:
        """Tell whoever is left, and let go of everything."""
        for session in list(self.sessions.values()):
            session.fail(error)
            self._out(session, now)
        for opening in [*self._line.dismiss(), *self._background.dismiss(error, now)]:
            self._refuse(opening, error)

    def _owners(self) -> Iterator[str]:
        """Whose each session is: of those that are drawn, wait, or may be carried on; batches take nobody's share."""
        yield from (session.owner for session in self.sessions.values() if not session.batch)
        yield from (place.opening.owner for place in self._line if not place.returning)
        yield from (kept.session.owner for kept in self._kept if not kept.session.over)

    def _let_in(self, opening: Opening, now: float) -> bool:
        """Make a session where there is room. Raises ProtocolError where there never is."""
        try:
            session = self._admission.make(opening, self.sessions.values(), now)
        except NoSlotsError:
            made_way = not opening.batch and self._background.make_way(opening.start.model, opening.start.voices)
            return made_way and self._let_in(opening, now)
        except NoRoomError:
            return False
        self.sessions[session.id] = session
        self._witness.opened(session)
        session.greet()
        return True

    def _wait(self, opening: Opening, now: float) -> None:
        if self._line.full:
            raise full(f"all room is taken, and {len(self._line)} wait for it", self._line.eta_s(len(self._line) + 1))
        self._line.join(opening, now)
        self._witness.queued(opening, len(self._line))

    def _come_back(self, opening: Opening, resume: Resume, now: float) -> None:
        session = self._named(opening, resume)
        session.outlet.check(resume)
        if (session.start.format, session.start.framing) != (opening.start.format, opening.start.framing):
            raise resume_refused("format: a session is carried on in the format and framing it began with", "format")
        if session.start.mode != opening.start.mode:  # on which the connection's departures hang
            began, asked = session.start.mode, opening.start.mode
            raise resume_refused(
                f"mode: {asked!r}, and a session is carried on in the mode it began with, {began!r}", "mode"
            )
        if session.id in self.sessions or session.over:
            _supersede(session)
            self._carry_on(session, opening, resume, now)
        elif not self._let_back_in(opening, now):
            self._line.join(opening, now)

    def _named(self, opening: Opening, resume: Resume) -> Session:
        """The session that a token opens. Raises ProtocolError; what is not the caller's is as if it were not there."""
        everybody = [*self.sessions.values(), *(kept.session for kept in self._kept)]
        for session in everybody:
            if session.model == opening.start.model and session.opens_to(resume.token, opening.owner):
                return session
        message = "resume.token: opens no session that is kept here; it may have been used, or be too old"
        raise resume_refused(message, "resume.token")

    def _let_back_in(self, opening: Opening, now: float) -> bool:
        """Carry a kept session on where there is room. Raises ProtocolError where it is kept no longer."""
        resume = opening.start.resume
        assert resume is not None
        session = self._named(opening, resume)
        session.outlet.check(resume)
        if session.id in self.sessions:  # somebody else with the same token was faster
            _supersede(session)
        else:
            try:
                slots = self._admission.make_room_again(session, self.sessions.values(), now)
            except NoSlotsError:
                return self._background.make_way(session.model, session.voices) and self._let_back_in(opening, now)
            except NoRoomError:
                return False
            self.sessions[session.id] = session
            kept = self._kept.take(session)
            moved, sampler = session.move(slots), self._pools[session.model].sampler
            with guarded(session):
                for slot, state in kept.voices.items():
                    sampler.restore(moved[slot], state)
        self._carry_on(session, opening, resume, now)
        return True

    def _look_after_line(self, now: float) -> None:
        if not self._line:
            return
        self._line.forget_gone()
        for opening in self._line.out_of_patience(now):
            waited = f"no room was free within {self._config.queue_s:g} s"
            self._refuse(opening, full(waited, self._line.eta_s(len(self._line) + 1)))

        self._line.let_in(lambda opening: self._try(opening, now))
        self._line.tell(now)
        announce(place.opening.mailbox for place in self._line)

    def _hold(self, opening: Opening, now: float) -> None:
        """Keep the session that one who waits comes back for."""
        resume = opening.start.resume
        if resume is not None:
            for kept in self._kept:
                if kept.session.opens_to(resume.token, opening.owner):
                    self._kept.hold(kept.session, now)

    def _try(self, opening: Opening, now: float) -> bool:
        """Whether one who waits need wait no longer."""
        try:
            if opening.start.resume is None:
                return self._let_in(opening, now)
            return self._let_back_in(opening, now)
        except ProtocolError as error:
            self._refuse(opening, error)
        except Exception:
            self._refuse(opening, unexpected(opening))
        return True

    def _out(self, session: Session, now: float) -> None:
        """A session is drawn no more: its slots are free, and what its listener may come back for is kept."""
        pool = self._pools[session.model]
        voices: dict[int, Snapshot] = {}
        back = session.tokens is not None and session.tokens.newest is not None and not session.mailbox.left
        if back and not session.over:
            with guarded(session):
                voices = {slot: pool.sampler.snapshot(slot) for slot in session.performance.drawn_slots}
        announce([session.mailbox])
        del self.sessions[session.id]
        pool.release(session.slots)
        if not session.batch:
            self._line.departed(now)
        if not back:
            self._witness.closed(session, now)
            return
        if not session.over:
            self._witness.dropped(session)
        for gone in self._kept.keep(session, voices, now):
            self._witness.closed(gone, now)

    def _carry_on(self, session: Session, opening: Opening, resume: Resume, now: float) -> None:
        session.carry_on(opening.mailbox, resume, now)
        if self._drained_at is not None:
            opening.mailbox.put(ServerDraining(deadline_s=max(0.0, self._drained_at - now)))
        announce([opening.mailbox])  # also where it is drawn no more
        self._witness.carried_on(session)

    def _refuse(self, opening: Opening, error: ProtocolError) -> None:
        opening.mailbox.refuse(error)
        announce([opening.mailbox])
        self._witness.refused(opening, error)

    def _cut_off(self, now: float) -> None:
        for session in list(self.sessions.values()):
            if not session.over:
                session.cut_off(now)
            self._out(session, now)
        for kept in self._kept:
            if not kept.session.over:
                self._kept.take(kept.session)
                self._witness.closed(kept.session, now)
        for opening in self._line.dismiss():
            self._refuse(opening, draining(0.0))


def draining(seconds: float) -> ProtocolError:
    """A refusal of a server that is about to stop; another one takes its place."""
    return ProtocolError(
        "draining",
        "the server is about to stop and lets nobody in",
        kind="capacity",
        close=CloseCode.DRAINED,
        retry_after_s=max(1.0, seconds),
    )


def _supersede(session: Session) -> None:
    """Close the connection that a session still has, half open or not: its listener has another."""
    session.mailbox.cut_short(Close(CloseCode.GOING_AWAY, "carried on elsewhere"))
    announce([session.mailbox])
