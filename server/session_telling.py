"""What a session tells of itself: to its listener what it was given and how it does, to the monitor how it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostinato.server.latency_report import StepFigures
from ostinato.server.measurements import budget_us
from ostinato.server.protocol import SessionCreated, Stats, StreamFormat
from ostinato.server.session_latency import SessionReading

if TYPE_CHECKING:
    from ostinato.server.session import Session


def created(session: Session) -> SessionCreated:
    """What the listener was given."""
    start, performance = session.start, session.performance
    given = StreamFormat(
        encoding=start.format.encoding,
        frame_ms=start.format.frame_ms,
        sample_rate=performance.sample_rate,
        hop=performance.hop,
    )
    return SessionCreated(
        session_id=session.id,
        resume_token=session.tokens.newest if session.tokens else None,
        model=session.model,
        format=given,
        seed=session.seed,
        lead_ms=session.lead_ms,
        limits=session.limits.granted(session.voices, start.duration_s),
    )


def stats(session: Session, now: float) -> Stats:
    """How it does, as its listener is told: `latency.second`, and how it stands now.

    A step draws the neighbours' voices too. Where its time follows what they play, a paced listener isn't told of it.
    """
    steps = session.latency.second
    if not session.tells_steps:
        steps = StepFigures(batch=steps.batch)
    return Stats(
        rtf=steps.rtf,
        us_per_sample=steps.us_per_sample,
        step_us_p50=steps.step_us_p50,
        step_us_p99=steps.step_us_p99,
        ttfa_ms=session.latency.ttfa_ms,
        lead_ms=_lead_ms(session, now),
        underruns=session.underruns,
        voices=session.performance.sounding,
        batch=steps.batch,
        budget_us=budget_us(session.performance.sample_rate),
    )


def reading(session: Session, now: float) -> SessionReading:
    """How it does, for the monitor."""
    return SessionReading(
        session_id=session.id,
        model=session.model,
        mode=session.start.mode,
        running=session.running,
        clock_s=round(session.performance.clock / session.performance.sample_rate, 3),
        voices=session.performance.sounding,
        lead_ms=_lead_ms(session, now),
        underruns=session.underruns,
        noticed=session.latency.read(),
    )


def _lead_ms(session: Session, now: float) -> float:
    return round(session.playhead.buffered(now) * 1000.0, 1)
