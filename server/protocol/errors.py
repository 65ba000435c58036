"""Errors and close codes: how each side is told what it got wrong."""

from __future__ import annotations

from enum import IntEnum
from typing import Literal, TypeAlias

from ostinato.server.protocol.message import Message

ErrorKind: TypeAlias = Literal["invalid_request", "not_authorised", "capacity", "internal"]


class CloseCode(IntEnum):
    """Why a socket was closed."""

    DONE = 1000
    GOING_AWAY = 1001
    NOT_AUTHORISED = 1008
    TOO_BIG = 1009
    INTERNAL = 1011
    DRAINED = 1012
    FULL = 1013
    BAD_MESSAGE = 4400
    IDLE = 4408
    RESUME_REFUSED = 4409
    OVER_LIMIT = 4413
    TOO_MANY_REQUESTS = 4429
    SLOW_CONSUMER = 4508


class ErrorDetail(Message):
    """What was wrong: a class of error, a code for programs, a sentence for people, and where."""

    type: ErrorKind
    code: str
    message: str
    param: str | None = None  # the field
    event_id: str | None = None


class Error(Message):
    """A refusal. The session goes on unless it is fatal."""

    type: Literal["error"] = "error"
    error: ErrorDetail
    fatal: bool = False
    retry_after_s: float | None = None


class ProtocolError(Exception):
    """What one side can't take, ready to be sent: fatal where it has a close code."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        param: str | None = None,
        event_id: str | None = None,
        kind: ErrorKind = "invalid_request",
        close: CloseCode | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.detail = ErrorDetail(type=kind, code=code, message=message, param=param, event_id=event_id)
        self.close = close
        self.retry_after_s = retry_after_s

    @classmethod
    def of(cls, message: Error) -> ProtocolError:
        """The error that a message tells of."""
        d = message.error
        return cls(
            d.code, d.message, param=d.param, event_id=d.event_id, kind=d.type, retry_after_s=message.retry_after_s
        )

    def as_message(self) -> Error:
        """The message that tells the other side."""
        return Error(error=self.detail, fatal=self.close is not None, retry_after_s=self.retry_after_s)
