"""What a dropped listener comes back with: a token, which is its session's and its key's alone."""

from __future__ import annotations

import secrets
from typing import Final

from ostinato.server.protocol import CloseCode, ProtocolError

TOKEN_BYTES: Final = 24


class ResumeTokens:
    """The tokens of one session: the newest, and the one it was asked for with until its listener shows that it got it.

    `session.created` may be lost with the connection that it was sent on; then the listener has only the former one.
    """

    def __init__(self, owner: str) -> None:
        self._owner: Final = owner
        self._valid: tuple[str, ...] = (secrets.token_urlsafe(TOKEN_BYTES),)

    @property
    def newest(self) -> str | None:
        """The one to be told; None where none holds any more."""
        return self._valid[-1] if self._valid else None

    def hold(self, token: str, owner: str) -> bool:
        """Whether it opens this session to whoever holds a key of this name."""
        return owner == self._owner and any(
            secrets.compare_digest(token.encode(), valid.encode()) for valid in self._valid
        )

    def renew(self, used: str) -> None:
        """Make a new one; the one that was just used holds until `confirm`."""
        self._valid = (used, secrets.token_urlsafe(TOKEN_BYTES))

    def confirm(self) -> None:
        """The listener has the newest."""
        self._valid = self._valid[-1:]

    def revoke(self) -> None:
        """None holds any more."""
        self._valid = ()


def resume_refused(message: str, param: str) -> ProtocolError:
    """A refusal to carry a session on."""
    return ProtocolError("resume_refused", message, param=param, close=CloseCode.RESUME_REFUSED)
