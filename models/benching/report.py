"""A whole run: on what, how near to its limits, whether disturbed, and every row and bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ostinato.models.benching.bars import BARS, Verdict, judge
from ostinato.models.benching.interference import Watch
from ostinato.models.benching.machine import Machine, this_machine
from ostinato.models.benching.rows import Row

if TYPE_CHECKING:
    from ostinato.models.benching.limits import Limits


@dataclass(frozen=True)
class Report:
    """What `ostinato bench --json` prints."""

    machine: Machine
    limits: Limits | None  # None where the native kernel was not measured
    busy: bool
    share_of_others: float  # of all cores' time, the most seen before and between measurements
    rows: tuple[Row, ...]
    bars: tuple[Verdict, ...]  # of the models measured

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def report_of(rows: Sequence[Row], watch: Watch) -> Report:
    """A report of rows just measured here; measures the limits, 0.2 s."""
    isa = next((row.isa for row in rows if row.engine == "native"), None)
    measured = {row.model for row in rows}
    return Report(
        machine=this_machine(),
        limits=_limits(isa) if isa else None,
        busy=watch.busy,
        share_of_others=round(watch.share, 3),
        rows=tuple(rows),
        bars=judge(rows, (bar for bar in BARS if bar.model in measured)),
    )


def _limits(isa: str) -> Limits:
    from ostinato.models.benching.limits import measured_limits  # needs the kernel

    return measured_limits(isa)
