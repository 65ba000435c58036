"""How batches and items are told of, from what is kept."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from ostinato.server.batches.plan import recalled
from ostinato.server.batches.store import Kept, KeptItem, Tally
from ostinato.server.protocol import (
    BatchCounts,
    BatchFailure,
    BatchItemStatus,
    BatchState,
    BatchStatus,
    HttpErrorDetail,
)


@dataclass(frozen=True, slots=True)
class Course:
    """How a batch moves, in seconds of sound."""

    drawn_s: float  # of items that are being drawn
    ahead_s: float  # until it is done, others' that go before it among it
    pace: float | None  # drawn in a second


def status(
    kept: Kept, tallies: Iterable[Tally], failures: Iterable[tuple[int, str]], course: Course, expiry_s: float
) -> BatchStatus:
    """A batch."""
    by_state = {tally.state: tally for tally in tallies}
    counts = BatchCounts(**{state: tally.items for state, tally in by_state.items()})
    audio_s = sum(tally.seconds for tally in by_state.values())
    over_s = sum(by_state[state].seconds for state in ("done", "failed") if state in by_state)
    known = kept.ended is None and course.pace
    return BatchStatus(
        id=kept.id,
        state=_state(kept, counts),
        items=sum(tally.items for tally in by_state.values()),
        counts=counts,
        progress=round(min(1.0, (over_s + course.drawn_s) / audio_s), 4),
        audio_s=round(audio_s, 3),
        eta_s=round(course.ahead_s / course.pace, 1) if known and course.pace else None,
        created_at=_at(kept.created),
        ended_at=None if kept.ended is None else _at(kept.ended),
        expires_at=None if kept.ended is None else _at(kept.ended + expiry_s),
        failures=tuple(BatchFailure(item=n, error=_error(error)) for n, error in failures),
    )


def item_status(kept: KeptItem) -> BatchItemStatus:
    """An item."""
    item = recalled(kept.request)
    return BatchItemStatus.model_validate(
        {
            **item.model_dump(include={"model", "seed", "format", "sample_format", "sample_rate", "controls"}),
            "item": kept.n,
            "state": kept.state,
            "audio_s": round(kept.seconds, 3),
            "bytes": kept.bytes,
            "warnings": tuple(json.loads(kept.warnings)),
            "error": None if kept.error is None else _error(kept.error),
        }
    )


def _state(kept: Kept, counts: BatchCounts) -> BatchState:
    if kept.cancelled:
        return "cancelled"
    if kept.ended is not None:
        return "done"
    return "running" if counts.running or counts.done or counts.failed else "queued"


def _error(kept: str) -> HttpErrorDetail:
    return HttpErrorDetail.model_validate_json(kept)


def _at(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
