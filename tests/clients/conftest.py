"""Real servers on loopback, each on a port of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ostinato.server.app import create_app
from ostinato.server.main import bind, load_models, make_server
from ostinato.server.settings import Settings


@contextmanager
def running_server(**settings: object) -> Iterator[str]:
    """A server of the model `tiny` in a thread; its address."""
    chosen = Settings(models=("tiny",), port=0, log_level="warning", **settings)  # type: ignore[arg-type]
    app = create_app(chosen, load_models(chosen.models))
    with bind(chosen.host, chosen.port) as listener:
        server = make_server(app, chosen)
        thread = threading.Thread(target=asyncio.run, args=(server.serve([listener]),))
        thread.start()
        try:
            assert app.state.service.engine.ready.wait(20.0)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(20.0)


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The address of a server that all tests of a worker share."""
    with running_server(slots=32) as url:
        yield url
