"""A real server on loopback, and a listener that keeps all it hears."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from ostinato.server.app import create_app
from ostinato.server.engine import Engine
from ostinato.server.main import bind, load_models, make_server
from ostinato.server.protocol import (
    SUBPROTOCOL,
    AudioDone,
    Error,
    FrameHeader,
    ServerMessage,
    SessionStart,
    parse_server,
)
from ostinato.server.service import Service
from ostinato.server.settings import Settings, read_settings

PATIENCE_S = 20.0
Kind = TypeVar("Kind")


@dataclass(frozen=True)
class Served:
    """A server on loopback, in this process or another."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def stream_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/v1/audio/stream"


@dataclass(frozen=True)
class Serving(Served):
    """A server that runs."""

    service: Service

    @property
    def engine(self) -> Engine:
        return self.service.engine

    @property
    def settings(self) -> Settings:
        return self.service.settings

    @property
    def free_slots(self) -> int:
        return next(iter(self.engine._pools.values())).free

    def settled(self) -> bool:
        """Whether every slot becomes free again, soon."""
        return eventually(lambda: self.free_slots == self.engine._config.sampler.slots)


def eventually(condition: Any, patience_s: float = PATIENCE_S) -> bool:  # noqa: ANN401
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


@contextmanager
def serving(*, wait: bool = True, page: Path | None = None, **settings: Any) -> Iterator[Serving]:  # noqa: ANN401
    """A server; wait: until its models are loaded; page: the folder of the page at `/`."""
    chosen = read_settings(**{"models": ("tiny",), "port": 0, "log_level": "error", "queue": 0, **settings})
    app = create_app(chosen, load_models(chosen.models), page)
    with bind(chosen.host, chosen.port) as listener:
        server = make_server(app, chosen)
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
        thread.start()
        service: Service = app.state.service
        try:
            assert not wait or service.engine.ready.wait(PATIENCE_S)
            assert eventually(lambda: server.started)
            yield Serving(listener.getsockname()[1], service)
        finally:
            server.should_exit = True
            thread.join()


@dataclass
class Heard:
    """What a listener was sent."""

    messages: list[ServerMessage] = field(default_factory=list)
    pcm: bytes = b""
    frames: list[FrameHeader] = field(default_factory=list)
    arrivals: list[tuple[float, int]] = field(default_factory=list)  # (time, samples so far)
    close_code: int | None = None

    def all(self, kind: type[Kind]) -> list[Kind]:
        return [m for m in self.messages if isinstance(m, kind)]

    def one(self, kind: type[Kind]) -> Kind:
        (message,) = self.all(kind)
        return message

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.pcm).hexdigest()

    @property
    def samples(self) -> NDArray[np.int16]:
        return np.frombuffer(self.pcm, dtype="<i2")


class Listener:
    """One session, from a client's side."""

    def __init__(self, serving: Served, **options: Any) -> None:  # noqa: ANN401
        self._open = ExitStack()
        # whoever leaves with audio unread never reads the server's close
        settings = {"subprotocols": [Subprotocol(SUBPROTOCOL)], "max_size": None, "close_timeout": 0.5, **options}
        connecting = connect(serving.stream_url, **settings)
        self.socket: ClientConnection = self._open.enter_context(connecting)
        self.heard = Heard()

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def say(self, *messages: Any) -> Listener:  # noqa: ANN401
        """Messages as models, as fields, or as raw frames."""
        for message in messages:
            if hasattr(message, "to_json"):
                message = message.to_json()
            self.socket.send(json.dumps(message) if isinstance(message, dict) else message)
        return self

    def start(self, **fields: Any) -> Listener:  # noqa: ANN401
        return self.say(SessionStart(**{"model": "tiny", "seed": 7, **fields}))

    def hear_one(self, patience_s: float = PATIENCE_S) -> ServerMessage | None:
        """The next message; None where it was audio."""
        frame = self.socket.recv(timeout=patience_s)
        if isinstance(frame, bytes):
            self._take(frame)
            return None
        message = parse_server(frame)
        self.heard.messages.append(message)
        return message

    def hear_until(self, kind: type[Kind]) -> Kind:
        while True:
            message = self.hear_one()
            if isinstance(message, kind):
                return message

    def hear_out(self) -> Heard:
        """Everything until the socket is closed."""
        try:
            while True:
                self.hear_one()
        except ConnectionClosed:
            self.heard.close_code = self.socket.protocol.close_code
        return self.heard

    def refused(self) -> Error:
        return self.hear_until(Error)

    def _take(self, frame: bytes) -> None:
        header = FrameHeader.unpack(frame)
        self.heard.frames.append(header)
        self.heard.pcm += frame[16:]
        self.heard.arrivals.append((time.monotonic(), len(self.heard.pcm) // 2))


def whole(heard: Heard) -> AudioDone:
    """The end of a stream that came through as it was drawn."""
    done = heard.one(AudioDone)
    assert heard.close_code == 1000
    assert done.sha256 == heard.sha256
    assert done.samples == len(heard.samples)
    assert [f.sequence for f in heard.frames] == list(range(len(heard.frames)))
    firsts = [0, *(samples for _, samples in heard.arrivals)]
    assert [f.first_sample for f in heard.frames] == firsts[:-1]
    return done
