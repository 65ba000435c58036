"""What one session, and one key, may take of a server at most: refused by the field and its value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ostinato.server.mailbox import Opening
from ostinato.server.protocol import (
    DURATION_S,
    MESSAGE_BYTES,
    MESSAGES_BURST,
    MESSAGES_PER_S,
    CloseCode,
    Limits,
    ProtocolError,
)

RETRY_AFTER_S: Final = 5.0


@dataclass(frozen=True)
class SessionLimits:
    """The most that may be had."""

    sessions: int = 32  # with one key at once; without keys there is no one to share with
    voices: int = 64  # a session
    duration_s: float = DURATION_S  # a session
    message_bytes: int = MESSAGE_BYTES
    messages_per_s: float = MESSAGES_PER_S
    messages_burst: int = MESSAGES_BURST

    def granted(self, voices: int, duration_s: float | None) -> Limits:
        """As a session is told."""
        return Limits(
            voices=voices,
            duration_s=duration_s or self.duration_s,
            message_bytes=self.message_bytes,
            messages_per_s=self.messages_per_s,
            messages_burst=self.messages_burst,
        )

    def check(self, opening: Opening, sample_rate: int) -> None:
        """Refuse more voices, or more seconds, than a session may have. Raises ProtocolError, fatal."""
        seconds = opening.start.duration_s or 0.0
        if opening.samples is not None:
            seconds = opening.samples / sample_rate
        self.bound(opening.start.voices, seconds)

    def bound(self, voices: int, seconds: float) -> None:
        """As `check`, for a session that is not opened yet."""
        if voices > self.voices:
            raise _over("voices", f"{voices} are more than the {self.voices} that a session may have")
        if seconds > self.duration_s:
            raise _over("duration_s", f"{seconds:g} is more than the {self.duration_s:g} s that a session may last")

    def share(self, owner: str, owners: Iterable[str]) -> None:
        """Refuse one session more than a key may have, given whose the others are. Raises ProtocolError, fatal."""
        held = sum(other == owner for other in owners)
        if owner and held >= self.sessions:
            message = f"sessions: the key {owner!r} has {held} already, of at most {self.sessions}"
            raise ProtocolError(
                "too_many_sessions",
                message,
                param="sessions",
                kind="capacity",
                close=CloseCode.OVER_LIMIT,
                retry_after_s=RETRY_AFTER_S,
            )


DEFAULT: Final = SessionLimits()


def _over(param: str, message: str) -> ProtocolError:
    return ProtocolError("over_limit", f"{param}: {message}", param=param, close=CloseCode.OVER_LIMIT)
