"""How many cores there are for drawing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

QUOTA: Final = Path("/sys/fs/cgroup/cpu.max")  # of a container: "microseconds period", or "max period"


def spare_cores() -> int:
    """The cores that this process may use, but for one that is left to connections; at least 1."""
    return max(1, usable_cores() - 1)


def usable_cores(quota: Path = QUOTA) -> int:
    """Those that the scheduler may run it on, or fewer where a control group allows less time; at least 1."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        allowed, period = quota.read_text(encoding="ascii").split()
        return cores if allowed == "max" else max(1, min(cores, int(allowed) // int(period)))
    except (OSError, ValueError):  # no control group that says so
        return cores
