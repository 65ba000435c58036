"""Keys and tokens in what a server writes: nowhere, however much it is told to log."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Subprotocol

SERVE = """
from ostinato.server.main import serve
from ostinato.server.settings import read_settings
serve(read_settings(models=("tiny",), port=0, log_level="debug"))
"""
SECRETS = {"single": "hidden-single-key", "alice": "hidden-key-of-alice", "carol": "hidden-key-of-carol"}


def talk(where: str, **options: Any) -> None:  # noqa: ANN401
    """Ask for a session, and hear the answer or the refusal."""
    with connect(f"ws://{where}/v1/audio/stream", **options) as socket:
        with suppress(ConnectionClosed):
            socket.send('{"type": "session.start", "model": "tiny"}')
        assert socket.recv(timeout=10)


@contextmanager
def running(**variables: str) -> Iterator[subprocess.Popen[str]]:
    """A server in a process of its own, ended whatever happens."""
    env = {**os.environ, **variables}
    with subprocess.Popen([sys.executable, "-c", SERVE], stderr=subprocess.PIPE, text=True, env=env) as server:
        try:
            yield server
        finally:
            server.kill()


def test_a_server_that_logs_all_it_can_logs_no_key_and_no_token(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"carol:{SECRETS['carol']}")
    variables = {
        "OSTINATO_API_KEY": SECRETS["single"],
        "OSTINATO_API_KEYS": f"alice:{SECRETS['alice']}",
        "OSTINATO_API_KEYS_FILE": str(file),
    }
    with running(**variables) as server:
        assert server.stderr is not None
        told = ""
        while not (found := re.search(r"at http://(\S+)\n", told)):
            line = server.stderr.readline()
            assert line, told
            told += line
        where = found[1]
        seen = set()
        for key in (*SECRETS.values(), "hidden-but-wrong"):
            bearer = {"Authorization": f"Bearer {key}"}
            seen.add(httpx.get(f"http://{where}/v1/models", headers=bearer).status_code)
            talk(where, additional_headers=bearer)
        assert seen == {200, 401}
        bearer = {"Authorization": f"Bearer {SECRETS['alice']}"}
        token = httpx.post(f"http://{where}/v1/tokens", headers=bearer).json()["token"]
        for given in (token, f"{token}A"):
            talk(where, subprotocols=[Subprotocol("ostinato.v1"), Subprotocol(f"ostinato.token.{given}")])
        server.terminate()
        told += server.stderr.read()
    assert "/v1/audio/stream" in told  # it does log what it is asked
    assert "hidden" not in told
    assert token not in told
