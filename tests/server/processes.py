"""A real server in a process of its own, as an operator runs it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from threading import Thread

from tests.server.serving import Served


@dataclass(frozen=True)
class Process(Served):
    """A server that runs by itself."""

    process: subprocess.Popen[str]


@contextmanager
def process(**environment: str) -> Iterator[Process]:
    command = [sys.executable, "-c", "from ostinato.clients.cli import app; app()", "serve", "--port", "0"]
    with TemporaryDirectory(ignore_cleanup_errors=True) as data:
        own = {"OSTINATO_MODELS": "tiny", "OSTINATO_DATA": data, "OSTINATO_LEAST_FREE_BYTES": "0"}
        yield from _run(command, {**os.environ, **own, **environment})


def _run(command: list[str], env: dict[str, str]) -> Iterator[Process]:
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=env) as server:
        try:
            assert server.stderr
            lines = (re.search(r"http://127\.0\.0\.1:(\d+)", line) for line in server.stderr)
            told = next(filter(None, lines))
            # what nobody reads would stop the server once the pipe is full
            Thread(target=server.stderr.read, daemon=True).start()
            yield Process(int(told[1]), server)
        finally:
            server.kill()
