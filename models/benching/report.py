"""A whole run: on what, how near to its limits, whether disturbed, and every row and bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ostinato.models.benching.bars import BARS, Verdict, judge
from ostinato.models.benching.interference import Watch
from ostinato.models.benching.limits import Limits
from ostinato.models.benching.machine import Machine, this_machine
from ostinato.models.benching.rows import Row


@dataclass(frozen=True)
class Report:
    """What `ostinato bench --json` prints."""

    machine: Machine
    limits: Limits | None  # None where the native kernel was not measured
    busy: bool
    share_of_others: float  # of all cores' time, before and while it was measured
    rows: tuple[Row, ...]
    bars: tuple[Verdict, ...]  # of the models measured

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def report_of(rows: Sequence[Row], limits: Limits | None, watch: Watch) -> Report:
    """A report of rows just measured here."""
    measured = {row.model for row in rows}
    return Report(
        machine=this_machine(),
        limits=limits,
        busy=watch.busy,
        share_of_others=round(watch.share, 3),
        rows=tuple(rows),
        bars=judge(rows, (bar for bar in BARS if bar.model in measured)),
    )
