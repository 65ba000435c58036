"""What goes wrong in one session ends that session, and no other."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from ostinato.server.mailbox import Opening
from ostinato.server.protocol import CloseCode, ProtocolError
from ostinato.server.session import Session

log = logging.getLogger(__name__)


@contextmanager
def guarded(session: Session) -> Iterator[None]:
    """Whatever goes wrong inside is this session's affair alone."""
    try:
        yield
    except ProtocolError as error:
        session.fail(error)
    except Exception:
        log.exception("session %s failed", session.id)
        message = "something went wrong in the server; the session is lost"
        session.fail(ProtocolError("internal", message, kind="internal", close=CloseCode.INTERNAL))


def unexpected(opening: Opening) -> ProtocolError:
    """What to tell where a session could not be made or carried on, and nobody knows why."""
    log.exception("session %s could not be opened", opening.session_id)
    message = "something went wrong in the server; there is no session"
    return ProtocolError("internal", message, kind="internal", close=CloseCode.INTERNAL)
