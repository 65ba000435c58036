"""`ostinato monitor`: how a running server does, as it does it."""

from __future__ import annotations

import json as json_format
import sys
import time
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from ostinato.clients.cli.faults import bad_input, stream_faults
from ostinato.clients.cli.options import ApiKey, Json, within

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ostinato.clients.monitor import Watch

LOOK_BACK_S: Final = 10.0


def monitor(
    url: Annotated[str, typer.Argument(envvar="OSTINATO_URL", help="The server's address.")] = "ws://127.0.0.1:8000",
    api_key: ApiKey = None,
    every: Annotated[float, typer.Option(callback=within(0.1, 3600), help="Seconds between two looks.")] = 1.0,
    times: Annotated[
        int | None,
        typer.Option(callback=within(1, 1e9), help="Looks. Default: on a terminal until Ctrl-C; else one."),
    ] = None,
    json: Json = False,
) -> None:
    """Show a server's real-time factor, leads, steps, sessions and queue, and the deadlines it missed and why.

    With --json each look is a line: {"latency": ..., "recent": ...}, as GET /v1/latency and /v1/latency/recent tell it.
    """
    from ostinato.clients.monitor import watch

    with stream_faults(), bad_input(ValueError), watch(url, api_key=api_key) as server:
        if json:
            _print_json(server, every, times or 1)
        else:
            _draw(server, url, every, times or (None if sys.stdout.isatty() else 1))


def _look(server: Watch) -> dict[str, Any]:
    recent = server.ask("/v1/latency/recent", seconds=LOOK_BACK_S)
    return {"latency": server.ask("/v1/latency"), "recent": recent}


def _print_json(server: Watch, every_s: float, times: int) -> None:
    for number in range(times):
        if number:
            time.sleep(every_s)
        print(json_format.dumps(_look(server)), flush=True)


def _draw(server: Watch, url: str, every_s: float, times: int | None) -> None:
    """One look after another, drawn over the one before on a terminal."""
    from rich.console import Console
    from rich.live import Live

    from ostinato.clients.cli.monitor_view import MonitorView

    view, console = MonitorView(url), Console()

    def drawn() -> RenderableType:
        look = _look(server)  # a server that was started anew may have other models than at the look before
        return view.draw(look, {m["id"]: (m["hop"], m["sample_rate"]) for m in server.ask("/v1/models")["models"]})

    if not console.is_terminal:
        for number in range(times or 1):
            if number:
                time.sleep(every_s)
            console.print(drawn())
        return
    with Live(console=console, screen=times is None, auto_refresh=False) as live:
        while times is None or times > 0:
            live.update(drawn(), refresh=True)
            times = None if times is None else times - 1
            if times != 0:
                time.sleep(every_s)
