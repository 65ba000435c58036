"""Whether others use the machine while it is measured: the share of its CPU time that is not this process's.

Linux counts in /proc/stat what every core did. Elsewhere the load average has to do, less the one thread that
measures.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

STAT: Final = Path("/proc/stat")
BUSY_SHARE: Final = 0.1
"""Above this share of all cores' time a run is called disturbed."""
LOOK_S: Final = 0.3
WORKING: Final = (0, 1, 2, 5, 6, 7)  # user, nice, system, irq, softirq, steal; guests' time is in user's


@dataclass(frozen=True)
class CpuTime:
    """Seconds since start-up, summed over all cores."""

    all_s: float
    working_s: float
    own_s: float  # of this process and its children


def cpu_time(stat: str, own_s: float, ticks_per_s: int) -> CpuTime:
    """From the text of /proc/stat.

    Raises:
        ValueError: where it has no line of all cores.
    """
    for line in stat.splitlines():
        name, *counts = line.split()
        if name == "cpu" and len(counts) >= 8:
            seconds = [int(count) / ticks_per_s for count in counts]
            return CpuTime(sum(seconds[:8]), sum(seconds[i] for i in WORKING), own_s)
    raise ValueError(f"/proc/stat: no line of all cores in {stat[:40]!r}")


def share_of_others(before: CpuTime, after: CpuTime) -> float:
    """Share, 0..1, of the time of all cores between two looks that others worked."""
    passed = after.all_s - before.all_s
    others = (after.working_s - before.working_s) - (after.own_s - before.own_s)
    return min(1.0, max(0.0, others / passed)) if passed > 0 else 0.0


@dataclass
class Watch:
    """Looks at the machine again and again. What counts is the whole time, since rows are medians of many moments."""

    share: float = 0.0  # that others took since the watch began
    _began: CpuTime | None = field(default_factory=lambda: _now())

    @property
    def busy(self) -> bool:
        """Whether others took so much that what was measured is in doubt."""
        return self.share > BUSY_SHARE

    def wait_and_look(self) -> None:
        """Do nothing for a moment, so that whoever works is seen."""
        time.sleep(LOOK_S)
        self.look()

    def look(self) -> None:
        """Take in what has happened."""
        now = _now()
        if self._began and now:
            self.share = share_of_others(self._began, now)
        else:
            self.share = max(0.0, os.getloadavg()[0] - 1) / (os.cpu_count() or 1)


def _now() -> CpuTime | None:
    """None where there is no /proc/stat."""
    if not STAT.is_file():
        return None
    own = os.times()
    own_s = own.user + own.system + own.children_user + own.children_system
    return cpu_time(STAT.read_text(encoding="ascii"), own_s, os.sysconf("SC_CLK_TCK"))
