"""What a measurement was taken on, in words."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CPUINFO: Final = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Machine:
    """A machine as its owner would name it."""

    cpu: str
    cores: int
    system: str  # operating system and architecture
    python: str


def this_machine() -> Machine:
    """The one that this runs on."""
    cpuinfo = CPUINFO.read_text(encoding="utf-8") if CPUINFO.is_file() else ""
    return Machine(
        cpu=cpu_name(cpuinfo) or platform.processor() or platform.machine(),
        cores=os.cpu_count() or 1,
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
    )


def cpu_name(cpuinfo: str) -> str:
    """The model in the text of /proc/cpuinfo, with its family and number where x86 gives them; empty where none."""
    fields: dict[str, str] = {}
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    name = fields.get("model name", "")
    if name and "cpu family" in fields and "model" in fields:
        return f"{name} (family {fields['cpu family']}, model {fields['model']})"
    return name
