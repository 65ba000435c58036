"""What can go wrong for a client, as a small tree."""

from __future__ import annotations

from ostinato.server.protocol import Error


class StreamError(Exception):
    """A sound that did not become whole."""


class UnreachableError(StreamError):
    """No server answers at this address, or what answers is no Ostinato server."""


class RefusedError(StreamError):
    """The server said no. `error` tells the field, a code for programs, and when to try again."""

    def __init__(self, error: Error) -> None:
        super().__init__(error.error.message)
        self.error = error


class SilentError(StreamError):
    """Nothing was heard of the server for too long."""


class LostError(StreamError):
    """The connection ended in the middle, and the session could not be carried on.

    `code` is what the server closed it with; None: the wire broke.
    """

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class CorruptError(StreamError):
    """What arrived is not what was sent: a gap, a wrong hash, or no message of this protocol."""


class PlaybackError(Exception):
    """There is no sound card to play on, or it failed."""
