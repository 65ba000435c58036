"""Whether a session can be had, and making it."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from ostinato.server.cost import fits
from ostinato.server.limits import DEFAULT, SessionLimits
from ostinato.server.mailbox import Opening
from ostinato.server.performance import Performance
from ostinato.server.pool import Pool
from ostinato.server.protocol import (
    CloseCode,
    Limits,
    ProtocolError,
    SessionCreated,
    SessionStart,
    StreamFormat,
)
from ostinato.server.session import Session

RETRY_AFTER_S: Final = 5.0


def full(message: str) -> ProtocolError:
    """A refusal for want of room."""
    return ProtocolError("full", message, kind="capacity", close=CloseCode.FULL, retry_after_s=RETRY_AFTER_S)


def admit(
    opening: Opening,
    pools: Mapping[str, Pool],
    sessions: Collection[Session],
    default_lead_ms: float,
    limits: SessionLimits = DEFAULT,
) -> Session:
    """Reserve the slots that an opening asks for, make its session, and tell the listener.

    Raises:
        ProtocolError: fatal, with nothing reserved.
    """
    start = opening.start
    pool = pools[start.model]
    limits.check(opening, pool.card.config.network.sample_rate)
    limits.share(opening.owner, (session.owner for session in sessions))
    slots = _reserve(pools, sessions, start)
    seed = secrets.randbits(53) if start.seed is None else start.seed
    try:
        performance = Performance(pool.card.config, pool.card.controls, slots, seed, start.controls)
    except ProtocolError as error:
        pool.release(slots)
        error.close = CloseCode.BAD_MESSAGE  # without a session there is nothing to go on with
        raise
    lead_ms = start.lead_ms or default_lead_ms
    granted = limits.granted(len(slots), start.duration_s)
    opening.mailbox.put(_created(opening, performance, granted, seed, lead_ms))
    return Session(opening, start.model, performance, slots, lead_ms, limits.duration_s)


def _reserve(pools: Mapping[str, Pool], sessions: Iterable[Session], start: SessionStart) -> tuple[int, ...]:
    pool = pools[start.model]
    if start.resume is not None:
        message = "resume: this server keeps no dropped sessions"
        raise ProtocolError("resume_refused", message, param="resume", close=CloseCode.RESUME_REFUSED)
    there = pool.sampler.slots
    if start.voices > there:
        message = f"voices: {start.voices} are more than the {there} there are"
        raise ProtocolError("over_limit", message, param="voices", close=CloseCode.OVER_LIMIT)
    if start.mode == "live":
        _keep_in_time(pools, sessions, start)
    slots = pool.reserve(start.voices)
    if slots is None:
        raise full(f"{start.voices} voices are asked for, {pool.free} of {there} are free")
    return slots


def _keep_in_time(pools: Mapping[str, Pool], sessions: Iterable[Session], start: SessionStart) -> None:
    """Refuse what could not be drawn in real time, with what is played already."""
    pool, voices = pools[start.model], start.voices
    fit = pool.live_voices
    if not fit:
        speed = f"{pool.cost.rtf(1):.2f} of real time"
        message = f"mode: {start.model} draws at {speed} here, too slow to be live; fast is served"
        raise ProtocolError("too_slow", message, param="mode", kind="capacity", close=CloseCode.OVER_LIMIT)
    if voices > fit:
        message = f"voices: {voices} are more than the {fit} that can be drawn in real time here"
        raise ProtocolError("over_limit", message, param="voices", close=CloseCode.OVER_LIMIT)
    playing = Counter({start.model: voices})
    for session in sessions:
        playing[session.model] += len(session.slots) if session.live else 0
    if not fits(sum(pools[name].cost.rtf(n) for name, n in playing.items())):
        raise full(f"{voices} live voices are asked for, and those that play leave no time for them")


def _created(opening: Opening, performance: Performance, limits: Limits, seed: int, lead_ms: float) -> SessionCreated:
    start = opening.start
    return SessionCreated(
        session_id=opening.session_id,
        model=start.model,
        format=StreamFormat(
            encoding=start.format.encoding,
            frame_ms=start.format.frame_ms,
            sample_rate=performance.sample_rate,
            hop=performance.hop,
        ),
        seed=seed,
        lead_ms=lead_ms,
        limits=limits,
    )
