"""Deadlines missed, and whose fault each was: a listener ran dry before its next block was there."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, TypeAlias, get_args

from ostinato.server.mailbox import Delivered

Cause: TypeAlias = Literal["compute", "event_loop", "network", "client"]
CAUSES: Final[tuple[Cause, ...]] = get_args(Cause)


class Miss(NamedTuple):
    """A listener ran dry, once; or, as it says, so many times."""

    session_id: str
    at: float  # when the audio came after all, seconds of the monotonic clock; of `client`, when the server took note
    cause: Cause
    late_s: float | None  # how long it had nothing to play; unknown of `client`
    times: int = 1


def cause_of(block: Delivered, free_at: float, dry_at: float) -> Cause:
    """Why a block came after its listener had run dry.

    Compute: it was not drawn by then. Network: its socket was still busy with what came before (until `free_at`), or
    took too long over this one. Event loop: block and socket were ready, and nobody brought them together in time.
    """
    if block.ready_at > dry_at:
        return "compute"
    if free_at > dry_at:
        return "network"
    return "event_loop" if block.taken_at > dry_at else "network"


class MissLedger:
    """What one live listener missed, by cause: what the server saw, and what only the listener reports."""

    def __init__(self, session_id: str) -> None:
        self.counts: Final[dict[Cause, int]] = dict.fromkeys(CAUSES, 0)
        self.reported = 0  # underruns, as the listener counts them
        self._session_id = session_id
        self.known = 0  # misses of all causes

    def settle(self, block: Delivered, free_at: float, dry_at: float | None, blocks: int) -> tuple[Miss, ...]:
        """A block was handed to the socket, and found the listener dry since `dry_at`: what was missed.

        The socket was free from `free_at` on. Only now is it clear which reports the server knew nothing of: a
        listener may tell before the block comes that shows the same. It can't have run dry more often than it was
        sent a block.
        """
        missed: tuple[Miss, ...] = ()
        if dry_at is not None:
            cause = cause_of(block, free_at, dry_at)
            missed = (self._note(Miss(self._session_id, block.sent_at, cause, block.sent_at - dry_at)),)
        unknown = min(self.reported, blocks) - self.known
        if unknown > 0:
            missed += (self._note(Miss(self._session_id, block.sent_at, "client", None, unknown)),)
        return missed

    def _note(self, miss: Miss) -> Miss:
        self.counts[miss.cause] += miss.times
        self.known += miss.times
        return miss
