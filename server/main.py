"""Running a server: `serve` loads the models, listens, and tells what it serves once it can."""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import uvicorn
from fastapi import FastAPI

from ostinato.models.checkpoint import Checkpoint
from ostinato.models.registry import load_name_or_folder
from ostinato.server.app import create_app
from ostinato.server.draining import DrainingServer
from ostinato.server.engine import Engine
from ostinato.server.logs import logging_config
from ostinato.server.pool import WarmUp
from ostinato.server.service import Service
from ostinato.server.settings import Settings
from ostinato.server.websocket import StreamProtocol

SEND_BUFFER_BYTES: Final = 128 * 1024  # of each socket: what waits is to wait where it is counted
RECEIVE_BUFFER_BYTES: Final = 32 * 1024  # and so much is parsed at once, before others have their turn
LONGEST_FRAMES: Final = 4  # longest messages: a longer frame closes its socket unread; below, an error says why
SWITCH_S: Final = 0.001  # how long the event loop may keep the engine from the interpreter: less than a hop
LOOK_AGAIN_S: Final = 0.05


class SameNameError(ValueError):
    """Two models that can't be told apart; the message names both."""


def serve(settings: Settings, page: Path | None = None) -> None:
    """Serve until interrupted; page: the folder of the page at `/`.

    Raises:
        UnknownModelError, ConfigError, CheckpointError, SameNameError: models that can't be loaded.
        OSError: an address that can't be bound.
        SamplerError: an engine or a device that can't be had.
    """
    app = create_app(settings, load_models(settings.models), page)
    sys.setswitchinterval(SWITCH_S)
    with bind(settings.host, settings.port) as listener:
        server = make_server(app, settings)
        service: Service = app.state.service
        with suppress(KeyboardInterrupt):
            asyncio.run(_run(server, listener, service))
    engine = service.engine
    if engine.fault is not None:
        raise engine.fault


def load_models(models: Sequence[str]) -> dict[str, Checkpoint]:
    """Checkpoints by the name they are served under: a folder's is that of its config.

    Raises:
        SameNameError: two that would be served under one name.
        UnknownModelError, ConfigError, CheckpointError: a model that can't be loaded.
    """
    checkpoints: dict[str, Checkpoint] = {}
    sources: dict[str, str] = {}
    for model in models:
        checkpoint = load_name_or_folder(model)
        name = checkpoint.config.name
        if name in checkpoints:
            raise SameNameError(f"models: {sources[name]!r} and {model!r} are both named {name!r}; serve one of them")
        checkpoints[name], sources[name] = checkpoint, model
    return checkpoints


def bind(host: str, port: int) -> socket.socket:
    """A listening socket whose connections keep little in the kernel."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends without delay only where a socket names its protocol; else frames wait 40 ms for an acknowledgement
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


def make_server(app: FastAPI, settings: Settings) -> DrainingServer:
    """Uvicorn around an application."""
    config = uvicorn.Config(
        app,
        ws=StreamProtocol,
        ws_per_message_deflate=False,
        ws_max_size=LONGEST_FRAMES * settings.message_bytes,
        log_config=logging_config(settings.log_level, settings.log_format),
        access_log=settings.log_level == "debug",
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    return DrainingServer(config, app.state.service)


async def _run(server: DrainingServer, listener: socket.socket, service: Service) -> None:
    beside = [
        asyncio.create_task(_announce(server, listener, service.engine)),
        asyncio.create_task(server.stop_once_drained()),
    ]
    try:
        await server.serve([listener])
    finally:
        for task in beside:
            task.cancel()


async def _announce(server: uvicorn.Server, listener: socket.socket, engine: Engine) -> None:
    """Print a line for each model once it is warmed up; stop the server where that fails."""
    while not engine.ready.is_set():
        if engine.fault is not None:
            server.should_exit = True
            return
        await asyncio.sleep(LOOK_AGAIN_S)
    # what was loaded stays; a collection that walks through it holds engine and event loop up for 50 ms
    gc.collect()
    gc.freeze()
    host, port = listener.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    for w in engine.warm_ups:
        print(f"ostinato: {w.model} on {_told(w)}, RTF {w.rtf:.3f}, at {url}", file=sys.stderr, flush=True)


def _told(warm_up: WarmUp) -> str:
    """What a model runs on, and why."""
    build = warm_up.build
    threads = f", {build.threads} threads" if build.threads > 1 else ""
    return f"{build.engine}/{build.isa}/{build.precision}{threads} ({warm_up.why})"
