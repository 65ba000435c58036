"""`ostinato serve`, and the models that it takes by name."""

from __future__ import annotations

import json as json_format
from typing import Annotated

import typer

from ostinato.clients.cli.faults import ExitCode, Fault, bad_input
from ostinato.clients.cli.options import Device, Engine, Json, Precision


def serve(
    model: Annotated[list[str] | None, typer.Option("--model", "-m", help="Name or folder; may be repeated.")] = None,
    host: Annotated[str | None, typer.Option(help="Default 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="Default 8000.")] = None,
    engine: Annotated[Engine | None, typer.Option(help="Default auto: the fastest there is.")] = None,
    device: Annotated[Device | None, typer.Option(help="Default auto.")] = None,
    precision: Annotated[
        Precision | None, typer.Option(help="Default auto: the fastest that keeps the model's quality.")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(help="Of the native engine, at most. Default: every core but one.")
    ] = None,
    slots: Annotated[int | None, typer.Option(help="Voices of each model at once. Default 32.")] = None,
    lead_ms: Annotated[float | None, typer.Option(help="Audio ahead of a listener. Default 200.")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error. Default info.")] = None,
    log_format: Annotated[str | None, typer.Option(help="text, or json: one object a line. Default text.")] = None,
) -> None:
    """Serve models. Every option is also a setting of the environment, OSTINATO_PORT and so on."""
    from ostinato.clients.web import FOLDER
    from ostinato.models.checkpoint import CheckpointError
    from ostinato.models.config import ConfigError
    from ostinato.models.registry import UnknownModelError
    from ostinato.models.sampling.contract import SamplerError
    from ostinato.server.main import SameNameError
    from ostinato.server.main import serve as serve_forever
    from ostinato.server.settings import SettingsError, read_settings

    with bad_input(SettingsError):
        settings = read_settings(
            models=tuple(model) if model else None,
            host=host,
            port=port,
            engine=engine,
            device=device,
            precision=precision,
            threads=threads,
            slots=slots,
            lead_ms=lead_ms,
            log_level=log_level,
            log_format=log_format,
        )
    try:
        with bad_input(UnknownModelError, ConfigError, CheckpointError, SameNameError, SamplerError):
            serve_forever(settings, FOLDER)
    except OSError as error:
        message = f"--host {settings.host} --port {settings.port}: {error.strerror or error}"
        raise Fault(message, ExitCode.OTHER) from error


def models(json: Json = False) -> None:
    """List the models that --model takes by name."""
    from ostinato.models.registry import names

    print(json_format.dumps(names()) if json else "\n".join(names()))
