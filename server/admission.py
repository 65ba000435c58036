"""Whether a session can be had, and making it."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping

from ostinato.server.capacity import Capacity, Claim
from ostinato.server.limits import RETRY_AFTER_S, SessionLimits
from ostinato.server.mailbox import Opening
from ostinato.server.pacing import block_hops, frame_hops
from ostinato.server.performance import Performance
from ostinato.server.pool import Pool
from ostinato.server.protocol import CloseCode, ProtocolError, SessionStart
from ostinato.server.session import Session


class NoRoomError(Exception):
    """There is no room now; there may be later. The message tells what is missing."""


class NoSlotsError(NoRoomError):
    """There is time, but slots are missing."""


def full(message: str, retry_after_s: float | None = None) -> ProtocolError:
    """A refusal for want of room."""
    retry_after_s = RETRY_AFTER_S if retry_after_s is None else max(1.0, retry_after_s)
    return ProtocolError("full", message, kind="capacity", close=CloseCode.FULL, retry_after_s=retry_after_s)


class Admission:
    """What the engine can carry: slots of each model, and time.

    Args:
        pools: by the names of their models.
        capacity: the time there is for live sessions.
        default_lead_ms: of a live session that names none.
        limits: of a session.
    """

    def __init__(
        self, pools: Mapping[str, Pool], capacity: Capacity, default_lead_ms: float, limits: SessionLimits
    ) -> None:
        self._pools, self._capacity, self._default_lead_ms = pools, capacity, default_lead_ms
        self._limits = limits

    def check(self, opening: Opening, owners: Iterable[str]) -> None:
        """Raise a ProtocolError, fatal, where it is beyond a limit; `owners` are those of all sessions there are."""
        start = opening.start
        self._limits.check(opening, self._pools[start.model].card.config.network.sample_rate)
        self._limits.share(opening.owner, owners)
        self._check_model(start)

    def make(self, opening: Opening, sessions: Iterable[Session], now: float) -> Session:
        """Reserve the slots that an opening asks for, and make its session beside those that are open.

        Raises:
            ProtocolError: fatal, where its controls can't be; nothing is reserved.
            NoRoomError: where it can't be now.
        """
        start, pool = opening.start, self._pools[opening.start.model]
        lead_ms = start.lead_ms or self._default_lead_ms
        claim = self._claim(start, lead_ms) if start.mode == "live" else None
        slots = self._reserve(start.model, start.voices, claim, sessions, now)
        seed = secrets.randbits(53) if start.seed is None else start.seed
        try:
            performance = Performance(pool.card.config, pool.card.controls, slots, seed, start.controls)
        except Exception as error:
            pool.release(slots)
            if isinstance(error, ProtocolError):
                error.close = CloseCode.BAD_MESSAGE  # without a session there is nothing to go on with
            raise
        told = not (pool.uneven and opening.mailbox.paced)
        return Session(opening, performance, slots, seed, lead_ms, self._limits, tells_steps=told)

    def make_room_again(self, session: Session, sessions: Iterable[Session], now: float) -> tuple[int, ...]:
        """Reserve slots for a session that is carried on. Raises NoRoomError."""
        claim = claim_of(session) if session.live else None
        return self._reserve(session.model, session.voices, claim, sessions, now)

    def _claim(self, start: SessionStart, lead_ms: float) -> Claim:
        network = self._pools[start.model].card.config.network
        frame = frame_hops(start, network.hop, network.sample_rate)
        hops = block_hops(lead_ms, frame, network.hop, network.sample_rate)
        return Claim(start.model, start.voices, hops * network.hop / network.sample_rate, lead_ms / 1000.0)

    def _check_model(self, start: SessionStart) -> None:
        """Raise a ProtocolError where not even an idle server could."""
        pool = self._pools[start.model]
        there, fit = pool.sampler.slots, pool.live_voices
        if start.voices > there:
            message = f"voices: {start.voices} are more than the {there} there are"
            raise ProtocolError("over_limit", message, param="voices", close=CloseCode.OVER_LIMIT)
        if start.mode == "fast":
            return
        if not fit:
            speed = f"{pool.cost.measured.rtf(1):.2f} of real time"
            message = f"mode: {start.model} draws at {speed} here, too slow to be live; fast is served"
            raise ProtocolError("too_slow", message, param="mode", kind="capacity", close=CloseCode.OVER_LIMIT)
        if start.voices > fit:
            message = f"voices: {start.voices} are more than the {fit} that can be drawn in real time here"
            raise ProtocolError("over_limit", message, param="voices", close=CloseCode.OVER_LIMIT)

    def _reserve(
        self, model: str, voices: int, claim: Claim | None, sessions: Iterable[Session], now: float
    ) -> tuple[int, ...]:
        """Slots, and for a live session time too, unless nobody else is live."""
        live = [claim_of(session) for session in sessions if session.live and not session.over]
        if claim is not None and live and not self._capacity.suffices([*live, claim], now):
            raise NoRoomError(f"{voices} live voices are asked for, and those that play leave no time for them")
        pool = self._pools[model]
        slots = pool.reserve(voices)
        if slots is None:
            raise NoSlotsError(f"{voices} voices are asked for, {pool.free} of {pool.sampler.slots} are free")
        return slots


def claim_of(session: Session) -> Claim:
    """What an open live session asks of the engine."""
    return Claim(session.model, session.voices, session.pacing.block_s, session.pacing.lead_s)
