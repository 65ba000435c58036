"""Who came, who was turned away, who went: told to the latency monitor and to the log."""

from __future__ import annotations

from ostinato.server import session_log
from ostinato.server.latency import Monitor
from ostinato.server.mailbox import Opening
from ostinato.server.protocol import ProtocolError
from ostinato.server.session import Session


class Witness:
    """Sees every coming and going. Belongs to the engine's thread."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor

    def opened(self, session: Session) -> None:
        """A session was admitted."""
        session.latency.steps = self._monitor.steps(session.model)
        session_log.opened(session)

    def refused(self, opening: Opening, error: ProtocolError) -> None:
        """A session was not admitted, or not carried on."""
        self._monitor.refused(error.detail.code)
        session_log.refused(opening, error)

    def queued(self, opening: Opening, position: int) -> None:
        """A session waits for room."""
        session_log.queued(opening, position)

    def dropped(self, session: Session) -> None:
        """A session lost its listener, and is kept."""
        session.latency.paused()
        session_log.dropped(session)

    def carried_on(self, session: Session) -> None:
        """Its listener came back."""
        session_log.carried_on(session)

    def closed(self, session: Session, now: float) -> None:
        """A session is gone for good."""
        with self._monitor.reporting():
            self._monitor.closed(now, session.id, session.model, session.latency)
        session_log.closed(session)
