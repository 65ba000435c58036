"""Listeners that come, play and are cut off, a thousand times over: what a server still holds afterwards.

`python -m tests.server.cycles 1000` prints it as JSON, of a server of `tiny` in a process of its own.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from pathlib import Path
from random import Random

import httpx

from ostinato.server.protocol import ControlApplied, NoteOn, Ping, SessionCreated
from tests.server.processes import Process, process
from tests.server.serving import Listener

WARM = 300  # cycles before memory is first looked at: the monitor remembers the last 128 sessions
WINDOW_S = 1.0  # in which a dropped listener may come back
SETTLE_S = 3.0


def resident_kb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    (line,) = (text for text in status.splitlines() if text.startswith("VmRSS"))
    return int(line.split()[1])


def threads(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def held(server: Process) -> dict[str, int]:
    """What the server says that it holds."""
    told = httpx.get(f"{server.url}/v1/latency").json()
    time.sleep(0.5)  # that request's own socket is closed by then
    files = len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))
    return {"sessions": len(told["sessions"]), "files": files, "threads": threads(server.process.pid)}


def cycle(server: Process, random: Random) -> None:
    """One listener, cut off somewhere between its first word and the middle of a note."""
    with Listener(server) as listener:
        listener.start(voices=random.randint(1, 4), mode=random.choice(["live", "fast"]))
        stage = random.randrange(4)
        if stage > 0:
            listener.hear_until(SessionCreated)
        if stage > 1:
            listener.say(NoteOn(event_id="on", note=60)).hear_until(ControlApplied)
        if stage > 2:
            listener.say(Ping())
            listener.hear_one()
        if random.random() < 0.8:
            listener.socket.socket.shutdown(socket.SHUT_RDWR)


def run(cycles: int, seed: int = 0) -> dict[str, float]:
    """The share that memory grew by after the first cycles, and what is held before and after."""
    random = Random(seed)
    with process(OSTINATO_RESUME_WINDOW_S=str(WINDOW_S), OSTINATO_REQUESTS_BURST="100000") as server:
        for _ in range(WARM):
            cycle(server, random)
        time.sleep(WINDOW_S + SETTLE_S)
        before, first = held(server), resident_kb(server.process.pid)
        for _ in range(cycles):
            cycle(server, random)
        time.sleep(WINDOW_S + SETTLE_S)
        after, last = held(server), resident_kb(server.process.pid)
        with Listener(server) as listener:  # every slot is free
            listener.start(voices=32, mode="fast").hear_until(SessionCreated)
    return {
        "cycles": cycles,
        "sessions": after["sessions"],
        "threads_more": after["threads"] - before["threads"],
        "files_more": after["files"] - before["files"],
        "resident_mb": round(last / 1024, 1),
        "memory_grew": round(last / first - 1.0, 4),
    }


if __name__ == "__main__":
    print(json.dumps(run(int(sys.argv[1]))))
