"""What the log tells of sessions: each line has the session's id, and the same words for the same thing."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, Final

from ostinato.server.mailbox import Opening
from ostinato.server.misses import Cause, Miss
from ostinato.server.protocol import ProtocolError
from ostinato.server.session import Session

log = logging.getLogger("ostinato.session")

HUNG_UP: Final = "hung_up"  # the outcome where the listener went away first


def opened(session: Session) -> None:
    """A session was admitted."""
    start = session.start
    _tell(
        _level(session),
        "session opened",
        session_id=session.id,
        model=session.model,
        mode=start.mode,
        voices=len(session.slots),
        lead_ms=start.lead_ms,
    )


def refused(opening: Opening, error: ProtocolError) -> None:
    """A session was not admitted, or not carried on."""
    _tell(logging.INFO, "session refused", **_asked(opening), code=error.detail.code, why=error.detail.message)


def queued(opening: Opening, position: int) -> None:
    """A session waits for room."""
    _tell(logging.INFO, "session queued", **_asked(opening), position=position)


def dropped(session: Session) -> None:
    """A session lost its listener, who may come back."""
    _tell(logging.INFO, "session dropped", session_id=session.id, model=session.model)


def carried_on(session: Session) -> None:
    """The listener came back."""
    _tell(logging.INFO, "session carried on", session_id=session.id, model=session.model)


def missed(misses: Iterable[Miss]) -> None:
    """Listeners ran dry: a line for each session and cause, however often that was."""
    together: dict[tuple[str, Cause], list[Miss]] = {}
    for miss in misses:
        together.setdefault((miss.session_id, miss.cause), []).append(miss)
    for (session_id, cause), alike in together.items():
        latest = max((miss.late_s for miss in alike if miss.late_s is not None), default=None)
        _tell(
            logging.WARNING,
            "underrun",
            session_id=session_id,
            cause=cause,
            times=sum(miss.times for miss in alike),
            late_ms=None if latest is None else round(latest * 1000.0, 3),
        )


def closed(session: Session) -> None:
    """A session is gone."""
    latency, performance = session.latency, session.performance
    _tell(
        _level(session),
        "session closed",
        session_id=session.id,
        model=session.model,
        outcome=session.outcome or HUNG_UP,
        clock_s=round(performance.clock / performance.sample_rate, 3),
        ttfa_ms=latency.ttfa_ms and round(latency.ttfa_ms, 3),
        **{f"underruns_{cause}": count for cause, count in latency.misses.counts.items() if count},
    )


def _level(session: Session) -> int:
    """A batch has thousands of sessions, and tells by itself how each item ended."""
    return logging.DEBUG if session.batch else logging.INFO


def _asked(opening: Opening) -> dict[str, Any]:
    """What an opening asks for."""
    start = opening.start
    return {
        "session_id": opening.session_id,
        "model": start.model,
        "mode": start.mode,
        "voices": start.voices,
    }


def _tell(level: int, message: str, **fields: Any) -> None:  # noqa: ANN401
    log.log(level, message, extra={"fields": fields})
