"""How batches and items are told of, from what is kept."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Final

from ostinato.server.batches.pauses import paced
from ostinato.server.batches.rows import Kept, KeptItem, Standing
from ostinato.server.protocol import (
    BatchCounts,
    BatchFailure,
    BatchItemStatus,
    BatchState,
    BatchStatus,
    HttpErrorDetail,
    SynthesizeOptions,
)

LINES: Final = 64  # of a manifest at once


@dataclass(frozen=True, slots=True)
class Course:
    """How a batch moves."""

    drawn_s: float  # seconds of sound, of items that are being drawn
    pace: float | None  # seconds of sound drawn in a second
    served: Collection[str]  # models


def status(standing: Standing, course: Course, expiry_s: float) -> BatchStatus:
    """A batch."""
    kept, by_state = standing.kept, {tally.state: tally for tally in standing.tallies}
    counts = BatchCounts(**{state: tally.items for state, tally in by_state.items()})
    audio_s = sum(tally.seconds for tally in by_state.values())
    over_s = sum(by_state[state].seconds for state in ("done", "failed") if state in by_state)
    missing = tuple(sorted(standing.models.difference(course.served)))
    known = kept.ended is None and course.pace and not missing
    return BatchStatus(
        id=kept.id,
        state=_state(kept, counts),
        items=sum(tally.items for tally in by_state.values()),
        counts=counts,
        progress=round(min(1.0, (over_s + course.drawn_s) / audio_s), 4),
        audio_s=round(audio_s, 3),
        eta_s=round((standing.ahead_s - course.drawn_s) / course.pace, 1) if known and course.pace else None,
        created_at=_at(kept.created),
        ended_at=None if kept.ended is None else _at(kept.ended),
        expires_at=None if kept.ended is None else _at(kept.ended + expiry_s),
        failures=tuple(BatchFailure(item=n, error=_error(error)) for n, error in standing.failures),
        missing_models=missing,
    )


def item_status(kept: KeptItem) -> BatchItemStatus:
    """An item."""
    return BatchItemStatus.model_validate(
        {
            **SynthesizeOptions.model_validate_json(kept.options).model_dump(),
            "item": kept.n,
            "state": kept.state,
            "audio_s": round(kept.seconds, 3),
            "bytes": kept.bytes,
            "warnings": tuple(json.loads(kept.warnings)),
            "error": None if kept.error is None else _error(kept.error),
        }
    )


def manifest(items: Iterable[KeptItem]) -> Iterator[str]:
    """How items stand, as a JSON list, some at a time. Takes long, and rests as it goes."""
    told = paced(item_status(item).model_dump_json() for item in items)
    before = "[\n"
    while lines := list(islice(told, LINES)):
        yield before + ",\n".join(lines)
        before = ",\n"
    yield "\n]\n"


def _state(kept: Kept, counts: BatchCounts) -> BatchState:
    if counts.cancelled:
        return "cancelled"
    if kept.ended is not None:
        return "done"
    return "running" if counts.running or counts.done or counts.failed else "queued"


def _error(kept: str) -> HttpErrorDetail:
    return HttpErrorDetail.model_validate_json(kept)


def _at(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
