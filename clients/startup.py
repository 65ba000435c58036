"""How long a server takes from its command until it can be used, and what it holds then. Needs Linux's /proc."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import httpx

COMMAND: Final = (sys.executable, "-c", "from ostinato.clients.cli import app; app()", "serve")
PROC: Final = Path("/proc")
PATIENCE_S: Final = 120.0
LOOK_AGAIN_S: Final = 0.005
END_S: Final = 10.0  # that a server may take to stop

READY_S: Final = 2.0  # bars, for a native server of the default model
CHECK_S: Final = 0.3
RESIDENT_MB: Final = 200.0


class StartUpError(Exception):
    """A server that did not come up; the message tells what it said."""


@dataclass(frozen=True, slots=True)
class StartUp:
    """One start of a server."""

    ready_s: float  # from the command until /readyz answered that it is
    check_s: float  # of it, measuring what fits into real time
    resident_mb: float  # millions of bytes, when ready
    torch: bool  # whether it was loaded
    live: tuple[str, ...]  # models that keep real time
    too_slow: dict[str, float]  # those that do not, and their real-time factors

    def missed(self) -> tuple[str, ...]:
        """Every bar that was not met."""
        bars = (
            (self.ready_s <= READY_S, f"ready after {self.ready_s:.2f} s, at most {READY_S:g}"),
            (self.check_s <= CHECK_S, f"measured for {self.check_s:.3f} s, at most {CHECK_S:g}"),
            (self.resident_mb < RESIDENT_MB, f"{self.resident_mb:.0f} MB resident, less than {RESIDENT_MB:g}"),
            (not self.torch, "torch was loaded"),
        )
        return tuple(told for met, told in bars if not met)

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        return {**asdict(self), "missed": self.missed()}


def start_up(options: Sequence[str] = ()) -> StartUp:
    """Start a server as a process on loopback, wait until it is ready, look at it, and end it.

    Args:
        options: those of `ostinato serve`; host and port are chosen here.

    Raises:
        StartUpError: where it ends first, or is not ready within two minutes.
        OSError: where there is no /proc.
    """
    port = _free_port()
    began = time.perf_counter()
    with _serving([*COMMAND, *options, "--host", "127.0.0.1", "--port", str(port)]) as server:
        told = _await_ready(server, f"http://127.0.0.1:{port}/readyz", began + PATIENCE_S)
        ready_s = time.perf_counter() - began
        return StartUp(
            round(ready_s, 3),
            float(told["check_s"]),
            round(_resident_bytes(server.pid) / 1e6, 1),
            _holds(server.pid, "/torch/"),
            tuple(told["live"]),
            dict(told["too_slow"]),
        )


@contextmanager
def _serving(command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as server:
        try:
            yield server
        finally:
            server.terminate()
            try:
                server.communicate(timeout=END_S)
            except subprocess.TimeoutExpired:
                server.kill()


def _await_ready(server: subprocess.Popen[str], address: str, until: float) -> Any:  # noqa: ANN401 (JSON)
    """What a server tells once it is ready."""
    with httpx.Client(trust_env=False) as client:
        while time.perf_counter() < until:
            if server.poll() is not None:
                said = server.stderr.read().strip() if server.stderr else ""
                raise StartUpError(f"the server ended with exit code {server.returncode}: {said}")
            try:
                answer = client.get(address)
            except httpx.TransportError:  # it does not listen yet
                time.sleep(LOOK_AGAIN_S)
                continue
            if answer.status_code == 200:
                return answer.json()
            time.sleep(LOOK_AGAIN_S)
    raise StartUpError(f"{address}: not ready within {PATIENCE_S:g} s")


def _resident_bytes(pid: int) -> int:
    status = (PROC / str(pid) / "status").read_text(encoding="ascii", errors="replace")
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


def _holds(pid: int, name: str) -> bool:
    """Whether a process has a file mapped whose path contains a name."""
    return name in (PROC / str(pid) / "maps").read_text(encoding="utf-8", errors="replace")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
