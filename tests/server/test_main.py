import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect

from ostinato.models import registry
from ostinato.models.checkpoint import save_checkpoint
from ostinato.models.registry import UnknownModelError
from ostinato.models.sampling.contract import SamplerError
from ostinato.server.main import SameNameError, bind, load_models, serve
from ostinato.server.settings import read_settings

SERVE = """
from ostinato.server.main import serve
from ostinato.server.settings import read_settings
serve(read_settings(models=("tiny",), port=0))
"""


def test_it_tells_in_one_line_what_it_serves_and_stops_when_asked() -> None:
    with subprocess.Popen([sys.executable, "-c", SERVE], stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        line = server.stderr.readline()
        told = re.fullmatch(
            r"ostinato: tiny on native/\w+/\w+(?:, \d+ threads)? \(the fastest on a CPU\), RTF (\S+), at (\S+)\n", line
        )
        assert told, line
        assert 0 < float(told[1]) < 1
        assert httpx.get(f"{told[2]}/readyz").status_code == 200
        began = time.monotonic()
        os.kill(server.pid, signal.SIGTERM)
        server.wait(timeout=10)
        assert time.monotonic() - began < 5
        assert server.stderr.read() == ""


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_sessions_are_logged_to_stderr_in_the_format_asked_for(log_format: str) -> None:
    environment = {**os.environ, "OSTINATO_LOG_FORMAT": log_format}
    with subprocess.Popen([sys.executable, "-c", SERVE], stderr=subprocess.PIPE, text=True, env=environment) as server:
        assert server.stderr is not None
        url = server.stderr.readline().split()[-1]
        with connect(url.replace("http", "ws") + "/v1/audio/stream") as socket:
            socket.send('{"type": "session.start", "model": "tiny"}')
            session_id = json.loads(socket.recv(timeout=10))["session_id"]
            opened = server.stderr.readline()
        closed = server.stderr.readline()
        os.kill(server.pid, signal.SIGTERM)
        server.wait(timeout=10)
    if log_format == "json":
        lines = [json.loads(line) for line in (opened, closed)]
        assert [(line["message"], line["session_id"], line["level"]) for line in lines] == [
            ("session opened", session_id, "info"),
            ("session closed", session_id, "info"),
        ]
        assert lines[1]["outcome"] == "hung_up"
    else:
        assert f"INFO ostinato.session: session opened session_id={session_id} model=tiny mode=live voices=1" in opened
        assert f"session closed session_id={session_id} model=tiny outcome=hung_up" in closed


def test_what_cannot_be_had_is_told_before_anything_is_served() -> None:
    with pytest.raises(UnknownModelError, match="nonesuch"):
        serve(read_settings(models=("nonesuch",), port=0))
    with pytest.raises(SamplerError, match="cuda"):
        serve(read_settings(models=("tiny",), port=0, engine="native", device="cuda"))
    with pytest.raises(SamplerError, match="precision: 'int8'"):
        serve(read_settings(models=("tiny",), port=0, engine="naive", precision="int8"))


def test_a_port_that_is_taken_is_refused() -> None:
    with bind("127.0.0.1", 0) as listener:
        listener.listen()
        with pytest.raises(OSError, match="in use"):
            bind("127.0.0.1", listener.getsockname()[1])


def test_connections_keep_little_in_the_kernel() -> None:
    with bind("127.0.0.1", 0) as listener:
        assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) <= 2 * 128 * 1024


def test_models_are_served_under_their_own_names() -> None:
    assert list(load_models(("tiny", "r32"))) == ["tiny", "r32"]


def test_two_models_of_one_name_are_refused_by_both_names(tmp_path: Path) -> None:
    save_checkpoint(registry.load("tiny"), tmp_path / "mine")
    with pytest.raises(SameNameError, match=r"'tiny' and '.*mine' are both named 'tiny'"):
        load_models(("tiny", str(tmp_path / "mine")))
    with pytest.raises(SameNameError, match="'tiny' and 'tiny'"):
        load_models(("tiny", "tiny"))
