"""The `ostinato` command, one door to all three packages. Each command imports what it needs when it is called."""

from __future__ import annotations

import typer

from ostinato.clients.cli.benching import bench
from ostinato.clients.cli.budgeting import budget
from ostinato.clients.cli.comparing import compare
from ostinato.clients.cli.distilling import distill
from ostinato.clients.cli.drafting import draft
from ostinato.clients.cli.faults import Commands, bad_input
from ostinato.clients.cli.loading import load
from ostinato.clients.cli.monitoring import monitor
from ostinato.clients.cli.playing import play
from ostinato.clients.cli.quantizing import quantize
from ostinato.clients.cli.serving import models, serve
from ostinato.clients.cli.sound import synth
from ostinato.clients.cli.startup import startup
from ostinato.clients.cli.training import data, evaluate, train

app = typer.Typer(
    name="ostinato",
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback()
def check_environment() -> None:
    """Sample-level autoregressive audio, in real time."""
    from ostinato.server.settings import SettingsError, refuse_unknown_variables

    with bad_input(SettingsError):
        refuse_unknown_variables()


for command in (
    serve,
    synth,
    play,
    monitor,
    load,
    bench,
    budget,
    compare,
    startup,
    models,
    data,
    train,
    evaluate,
    quantize,
    draft,
    distill,
):
    app.command()(command)
